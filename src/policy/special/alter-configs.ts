// AlterConfigs and IncrementalAlterConfigs: what a broker finds wrong before it asks who may. ConfigAdminManager.scala preprocess.

import { AlterConfigs } from '../../protocol/messages/33-alter-configs.ts'
import { IncrementalAlterConfigs } from '../../protocol/messages/44-incremental-alter-configs.ts'
import { defaultText, INVALID_REQUEST } from '../answers.ts'
import { Operation, Verdict } from '../authorizer.ts'
import { IN_ORDER } from '../graft.ts'
import type { Judging } from '../judging.ts'
import { type ConfigResource, ConfigType, isKnown, judgedAs, refusedAs } from './config-resources.ts'
import { type Fate, splitPlan, UNSURE } from './split.ts'

interface Altered extends ConfigResource {
  readonly configs: readonly { readonly name: string; readonly configOperation?: number; readonly value: string | null }[]
}

/** AlterConfigOp.OpType.DELETE: needs no value. */
const DELETE = 1

export const alterConfigsPlan = splitPlan({
  api: AlterConfigs,
  list: 'resources',
  into: 'responses',
  place: IN_ORDER,
  fates: (resources, judging) => fates(resources, judging, false),
})

export const incrementalAlterConfigsPlan = splitPlan({
  api: IncrementalAlterConfigs,
  list: 'resources',
  into: 'responses',
  place: IN_ORDER,
  fates: (resources, judging) => fates(resources, judging, true),
})

function fates(resources: readonly Altered[], judging: Judging, incremental: boolean): Fate[] {
  const seen = new Set<string>()
  const duplicates = new Set<string>()
  for (const key of resources.map(keyOf)) (seen.has(key) ? duplicates : seen).add(key)
  return resources.map(resource => fate(resource, duplicates.has(keyOf(resource)), judging, incremental))
}
const keyOf = ({ resourceType, resourceName }: ConfigResource): string => `${resourceType} ${resourceName}`

/** Whoever may alter it learns from the broker what is wrong with it; who may not learns it here. */
function fate(resource: Altered, isTwice: boolean, judging: Judging, incremental: boolean): Fate {
  if (!isKnown(resource) || (resource.resourceType === ConfigType.BrokerLogger && !incremental))
    return answer(resource, INVALID_REQUEST, wrongWith(resource, isTwice) ?? `Unknown resource type ${resource.resourceType}`)
  const name = judgedAs(resource, judging)
  const verdict = judging.check(Operation.AlterConfigs, name)
  if (verdict === Verdict.Allowed) return null
  const wrong = wrongWith(resource, isTwice)
  if (wrong !== null) return answer(resource, INVALID_REQUEST, wrong)
  if (verdict !== Verdict.Refused) {
    judging.undecided(Operation.AlterConfigs, name)
    return UNSURE
  }
  judging.refused(Operation.AlterConfigs, name)
  const errorCode = refusedAs(resource)
  return answer(resource, errorCode, isOfBroker(resource) ? null : defaultText(errorCode))
}

/** Refused by the broker itself, without a text; the rest by the controller. */
const isOfBroker = ({ resourceType }: ConfigResource): boolean =>
  resourceType === ConfigType.Broker || resourceType === ConfigType.BrokerLogger

function wrongWith({ configs }: Altered, isTwice: boolean): string | null {
  if (isTwice) return 'Each resource must appear at most once.'
  if (new Set(configs.map(config => config.name)).size < configs.length) return 'Error due to duplicate config keys'
  const empty = configs.filter(({ configOperation, value }) => value === null && configOperation !== DELETE)
  return empty.length === 0 ? null : `Null value not supported for : ${empty.map(config => config.name).join(', ')}`
}

const answer = ({ resourceType, resourceName }: ConfigResource, errorCode: number, errorMessage: string | null) => ({
  errorCode,
  errorMessage,
  resourceType,
  resourceName,
})
