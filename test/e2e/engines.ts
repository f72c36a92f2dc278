// The two engines, as a configuration of the gate names them.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sharedOpenFga, uniqueName } from '../parts.ts'

export const engineNames = ['embedded', 'openfga'] as const
export type EngineName = (typeof engineNames)[number]

/** What is put into topicgate.yaml: for OpenFGA a fresh store with the shipped model, into which the gate writes its policy's grants. */
export async function engineConfig(engine: EngineName): Promise<object> {
  if (engine === 'embedded') return {}
  const model = JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'config', 'model.json'), 'utf8'))
  const openFga = await sharedOpenFga()
  const { store } = await openFga.createStore(uniqueName('gate'), model)
  return { authorizer: { engine, openfga: { url: openFga.url, store, apply: 'auto' } } }
}
