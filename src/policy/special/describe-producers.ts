// DescribeProducers: READ on each topic, once its name is one that a topic can have. KafkaApis.scala handleDescribeProducersRequest.

import { DescribeProducers } from '../../protocol/messages/61-describe-producers.ts'
import { defaultText, INVALID_TOPIC_EXCEPTION, TOPIC_AUTHORIZATION_FAILED } from '../answers.ts'
import { Operation, Resource } from '../authorizer.ts'
import { IN_ORDER } from '../graft.ts'
import type { Judging } from '../judging.ts'
import { type Fate, fateOf, splitPlan } from './split.ts'
import { whyInvalid } from './topic-names.ts'

interface Asked {
  readonly name: string
  readonly partitionIndexes: readonly number[]
}

export const describeProducersPlan = splitPlan({
  api: DescribeProducers,
  list: 'topics',
  into: 'topics',
  place: IN_ORDER,
  fates: (topics: readonly Asked[], judging) => topics.map(topic => fate(topic, judging)),
})

function fate(topic: Asked, judging: Judging): Fate {
  const invalid = whyInvalid(topic.name)
  if (invalid !== null) return answer(topic, INVALID_TOPIC_EXCEPTION, invalid)
  const name = judging.caller.names.text(Resource.Topic, topic.name)
  return fateOf(judging, Operation.Read, name, () => answer(topic, TOPIC_AUTHORIZATION_FAILED, defaultText(TOPIC_AUTHORIZATION_FAILED)))
}

const answer = ({ name, partitionIndexes }: Asked, errorCode: number, errorMessage: string) => ({
  name,
  partitions: partitionIndexes.map(partitionIndex => ({ partitionIndex, errorCode, errorMessage })),
})
