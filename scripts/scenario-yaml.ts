// How a recorded scenario is written: what a person wrote stays, what was seen is put in, and what fits in a line stands in one.

import { type Document, isCollection, isMap, isPair, isSeq, parseDocument, stringify } from 'yaml'
import type { Then } from '../test/scenarios/form.ts'

const LINE = 118
/** Below these a value may stand in one line. */
const OPEN = new Set(['', 'given', 'grants', 'rules', 'steps', 'when', 'then'])

/** @param then one for each step; null: nothing is compared */
export function laidOut(text: string, then: readonly (Then | null)[], source: string): string {
  const document = parseDocument(text)
  const isList = document.has('steps')
  then.forEach((seen, step) => {
    const path = isList ? ['steps', step, 'then'] : ['then']
    if (seen === null) document.deleteIn(path)
    else document.setIn(path, document.createNode(seen, { aliasDuplicateObjects: false }))
  })
  document.delete('source')
  document.set('source', source)
  lay(document, document.contents, '', 0)
  return document.toString({ lineWidth: 0, flowCollectionPadding: true })
}

function lay(document: Document, node: unknown, key: string, indent: number): void {
  if (!isCollection(node)) return
  node.flow = !OPEN.has(key) && indent + key.length + 2 + lengthOf(node.toJS(document)) <= LINE
  if (isMap(node)) for (const pair of node.items) if (isPair(pair)) lay(document, pair.value, String(pair.key), indent + 2)
  if (isSeq(node))
    for (const item of node.items) lay(document, item, key === 'steps' ? 'step' : `- ${key === 'grants' ? 'x' : ''}`, indent + 2)
}

const lengthOf = (value: unknown): number => stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim().length
