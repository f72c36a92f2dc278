// DescribeConfigs: topics and groups by name, the rest by the cluster; addresses of brokers stay hidden. ConfigHelper.scala handleDescribeConfigsRequest.

import { DescribeConfigs } from '../../protocol/messages/32-describe-configs.ts'
import { defaultText, INVALID_REQUEST } from '../answers.ts'
import { Operation } from '../authorizer.ts'
import { LAST } from '../graft.ts'
import { type ConfigResource, ConfigType, isKnown, judgedAs, refusedAs } from './config-resources.ts'
import { fateOf, splitPlan } from './split.ts'

/** Settings of a broker that tell where it, or a controller, can be reached. */
const ADDRESSES = /^(advertised\.)?listeners$|^controller\.quorum\.(voters|bootstrap\.servers)$/

export const describeConfigsPlan = splitPlan({
  api: DescribeConfigs,
  list: 'resources',
  into: 'results',
  place: LAST,
  invalid: (resources: readonly ConfigResource[]) =>
    resources.every(isKnown) ? null : { results: resources.map(resource => answer(resource, INVALID_REQUEST)) },
  fates: (resources: readonly ConfigResource[], judging) =>
    resources.map(resource =>
      fateOf(judging, Operation.DescribeConfigs, judgedAs(resource, judging), () => answer(resource, refusedAs(resource))),
    ),
  blanks(response) {
    let changed = false
    for (const { resourceType, configs } of response.results) {
      if (resourceType !== ConfigType.Broker) continue
      for (const config of configs) {
        const synonyms = (config.synonyms ?? []).filter((synonym: { name: string }) => ADDRESSES.test(synonym.name))
        if (!ADDRESSES.test(config.name) && synonyms.length === 0) continue
        changed = true
        hide(config)
        for (const synonym of synonyms) synonym.value = null
      }
    }
    return changed
  },
})

/** As a broker shows a secret. */
function hide(config: { value: string | null; isSensitive: boolean }): void {
  config.value = null
  config.isSensitive = true
}

const answer = ({ resourceType, resourceName }: ConfigResource, errorCode: number) => ({
  errorCode,
  errorMessage: defaultText(errorCode),
  resourceType,
  resourceName,
  configs: [],
})
