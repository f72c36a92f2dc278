// Kafka's message definitions (common/message/*.json in kafka-clients.jar) as the tables of src/protocol/messages.

import { range } from '../src/protocol/schema.ts'
import { jarTexts } from './jar.ts'

interface Definition {
  readonly apiKey?: number
  readonly type: string
  readonly listeners?: readonly string[]
  readonly name: string
  readonly validVersions: string
  readonly flexibleVersions: string
  readonly fields: readonly Field[]
  readonly commonStructs?: readonly { readonly name: string; readonly fields: readonly Field[] }[]
}
interface Field {
  readonly name: string
  readonly type: string
  readonly versions: string
  readonly nullableVersions?: string
  readonly taggedVersions?: string
  readonly tag?: number
  readonly default?: string | number | boolean
  readonly entityType?: string
  readonly fields?: readonly Field[]
}
type Structs = ReadonlyMap<string, readonly Field[]>

/** The texts of all table files, by file name: one an API of the broker listener, and `index.ts`. */
export function messageTables(jar: string): Map<string, string> {
  const texts = jarTexts(jar, name => /^common\/message\/.*(Request|Response)\.json$/.test(name))
  const definitions = [...texts.values()].map(text => JSON.parse(text.replace(/^\s*\/\/.*$/gm, '')) as Definition)
  const responses = new Map(definitions.filter(d => d.type === 'response').map(d => [d.apiKey, d]))
  const requests = definitions
    .filter(d => d.type === 'request' && d.listeners?.includes('broker') && d.validVersions !== 'none')
    .sort((a, b) => a.apiKey! - b.apiKey!)
  if (requests.length === 0) throw new Error(`${jar} holds no message definitions`)
  const tables = new Map(requests.map(q => [fileOf(q), table(q, responses.get(q.apiKey)!)]))
  return tables.set('index.ts', index(requests))
}

const apiOf = (request: Definition): string => request.name.replace(/Request$/, '')
const fileOf = (request: Definition): string =>
  `${String(request.apiKey).padStart(2, '0')}-${apiOf(request)
    .replace(/(?<=[a-z])(?=[A-Z])/g, '-')
    .toLowerCase()}.ts`

function table(request: Definition, response: Definition): string {
  const name = apiOf(request)
  const body = ['  request: {', ...lines(request), '  },', '  response: {', ...lines(response), '  },']
  const words = ['api', 'list', 'struct'].filter(w => w === 'api' || body.some(line => new RegExp(`\\b${w}\\(`).test(line)))
  return [
    `import { ${words.join(', ')} } from '../schema.ts'`,
    '',
    `export const ${name} = api(${request.apiKey}, '${name}', '${request.validVersions}', '${request.flexibleVersions}', {`,
    ...body,
    '})',
    '',
  ].join('\n')
}

const lines = (d: Definition): string[] => {
  const structs = new Map((d.commonStructs ?? []).map(s => [s.name, s.fields]))
  return d.fields.flatMap(f => fieldLines(f, structs, '    '))
}

function fieldLines(f: Field, structs: Structs, indent: string): string[] {
  const name = f.name[0]!.toLowerCase() + f.name.slice(1)
  const type = f.type.replace(/^\[\]/, '')
  const isList = type !== f.type
  const fields = f.fields ?? structs.get(type)
  const entity = f.entityType ? ` @${f.entityType}` : ''
  if (fields !== undefined) {
    const said = note(f).trim()
    const open = `${isList ? 'list' : 'struct'}(${said ? `'${said}', ` : ''}{`
    return [`${indent}${name}: ${open}`, ...fields.flatMap(inner => fieldLines(inner, structs, `${indent}  `)), `${indent}}),`]
  }
  const said = note(f).trim()
  const value = isList ? `list(${said ? `'${said}', ` : ''}'${type}${entity}')` : `'${type}${note(f)}${entity}'`
  return [`${`${indent}${name}:`.padEnd(34)} ${value},`]
}

function covers(wide: string, narrow: string): boolean {
  const [a, b] = [range(wide), range(narrow)]
  return a.min <= b.min && a.max >= b.max
}

/** `?[versions] [versions] [tag n] [= default]` */
function note(f: Field): string {
  const nullable = f.nullableVersions ? `?${covers(f.nullableVersions, f.versions) ? '' : f.nullableVersions}` : ''
  const versions = f.versions === '0+' ? '' : ` ${f.versions}`
  const tag = f.tag === undefined ? '' : ` tag ${f.tag}`
  const fallback = f.default === undefined || f.default === '' ? '' : ` = ${f.default}`
  return nullable + versions + tag + fallback
}

function index(requests: readonly Definition[]): string {
  return [
    '// Every API of a broker listener, by key: the only list of them. Printed by scripts/import-messages.ts.',
    '',
    "import type { Api } from '../schema.ts'",
    ...requests.map(q => `import { ${apiOf(q)} } from './${fileOf(q)}'`),
    '',
    'export const apis: readonly Api[] = [',
    ...requests.map(q => `  ${apiOf(q)},`),
    ']',
    '',
  ].join('\n')
}
