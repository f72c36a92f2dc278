// CreatePartitions: ALTER on each topic that is named once. ControllerApis.scala createPartitions.

import { CreatePartitions } from '../../protocol/messages/37-create-partitions.ts'
import { INVALID_REQUEST, TOPIC_AUTHORIZATION_FAILED } from '../answers.ts'
import { Operation, Resource } from '../authorizer.ts'
import { FIRST } from '../graft.ts'
import { type Fate, fateOf, SAID, splitPlan } from './split.ts'

export const createPartitionsPlan = splitPlan({
  api: CreatePartitions,
  list: 'topics',
  into: 'results',
  place: FIRST,
  fates(topics: readonly { name: string }[], judging) {
    const seen = new Set<string>()
    const twice = new Set<string>()
    for (const { name } of topics) (seen.has(name) ? twice : seen).add(name)
    const said = new Set<string>()
    return topics.map(({ name }): Fate => {
      if (said.has(name)) return SAID
      if (twice.has(name)) {
        said.add(name)
        return { name, errorCode: INVALID_REQUEST, errorMessage: 'Duplicate topic name.' }
      }
      const topic = judging.caller.names.text(Resource.Topic, name)
      return fateOf(judging, Operation.Alter, topic, () => ({ name, errorCode: TOPIC_AUTHORIZATION_FAILED, errorMessage: null }))
    })
  },
})
