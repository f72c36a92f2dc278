// What `topicgate explain` asks: the rights that an API needs, or one operation, on the resources that the command line names.

import { meant } from '../base/errors.ts'
import type { ApiNeeds } from '../policy/api-needs.ts'
import { type Operation, Resource } from '../policy/authorizer.ts'
import { KIND_NAMES, OPERATION_NAMES, OPERATIONS, type OperationName, operationName, SUPPORTED } from '../policy/operations.ts'
import { Exit, ExitError } from './exit.ts'

/** The options that say what is asked. */
export interface Wanted {
  readonly api?: string
  readonly version?: string
  readonly operation?: string
  readonly topic?: string
  readonly groupId?: string
  readonly transactionalId?: string
  readonly cluster?: true
}

/** What is asked, and what the API would ask besides. */
export interface Asked {
  readonly api: ApiNeeds | null
  readonly questions: readonly { readonly operation: Operation; readonly resource: Resource; readonly name: string }[]
  readonly needsToo: readonly string[]
}

/** The questions that an API, or an operation, puts to the policy about the resources that were named. */
export async function questionsOf(options: Wanted): Promise<Asked> {
  const names = new Map<Resource, string>()
  if (options.topic !== undefined) names.set(Resource.Topic, options.topic)
  if (options.groupId !== undefined) names.set(Resource.Group, options.groupId)
  if (options.transactionalId !== undefined) names.set(Resource.TransactionalId, options.transactionalId)
  if (options.cluster) names.set(Resource.Cluster, 'kafka-cluster')
  if ((options.api === undefined) === (options.operation === undefined))
    throw new ExitError(Exit.usage, 'one of --api and --operation must stand')
  if (options.operation !== undefined) return byOperation(options.operation, names)
  const { needsOf, servedApis } = await import('../policy/api-needs.ts')
  const [name, at] = options.api!.split('@') as [string, string | undefined]
  const version = options.version ?? at
  if (version !== undefined && !/^\d+$/.test(version)) throw new ExitError(Exit.usage, `version ${version} is not a number`)
  const api = needsOf(name, version === undefined ? null : Number(version))
  if (api === null) {
    const known = servedApis().find(served => served.toLowerCase() === name.toLowerCase())
    const why = known === undefined ? meant(name, servedApis()) : 'topicgate apis lists the versions'
    throw new ExitError(Exit.usage, `${options.api}${known === undefined ? '' : ` at version ${version}`} is not served: ${why}`)
  }
  names.set(Resource.Cluster, 'kafka-cluster')
  const questions = api.needs.flatMap(({ operation, resource }) => {
    const text = names.get(resource)
    return text === undefined ? [] : [{ operation, resource, name: text }]
  })
  const missing = api.needs.filter(({ resource }) => !names.has(resource))
  const needsToo = missing.map(({ operation, resource }) => `${operationName(operation)} on the ${KIND_NAMES[resource]}`)
  if (questions.length === 0 && missing.length > 0)
    throw new ExitError(Exit.usage, `${api.rule.api.name} asks ${needsToo.join(', ')}: name it`)
  return { api, questions, needsToo }
}

function byOperation(text: string, names: ReadonlyMap<Resource, string>): Asked {
  const word = text.toLowerCase().replaceAll('-', '_')
  if (!Object.hasOwn(OPERATIONS, word)) throw new ExitError(Exit.usage, `${text} is not an operation; ${meant(word, OPERATION_NAMES)}`)
  const operation = OPERATIONS[word as OperationName]
  if (names.size === 0) throw new ExitError(Exit.usage, 'name what is asked for: --topic, --group-id, --transactional-id or --cluster')
  const questions = [...names].map(([resource, name]) => ({ operation, resource, name }))
  const odd = questions.find(({ resource }) => (SUPPORTED[resource] & (1 << operation)) === 0)
  if (odd !== undefined) throw new ExitError(Exit.usage, `${word} does not exist on a ${KIND_NAMES[odd.resource]}`)
  return { api: null, questions, needsToo: [] }
}
