// Which rights an API asks for, as data: what `explain --api` turns into questions to the policy.

import { layoutOf, slotAt, within } from '../protocol/schema.ts'
import { Operation, Resource } from './authorizer.ts'
import type { Need, Rule } from './rows.ts'
import { RESOURCE_OF } from './rows.ts'
import { rules } from './rules.ts'

/** One operation on one kind of resource. */
export interface ApiNeed {
  readonly operation: Operation
  readonly resource: Resource
}

/** What one API needs at one version. */
export interface ApiNeeds {
  readonly rule: Rule
  readonly version: number
  /** In the order in which they are asked. */
  readonly needs: readonly ApiNeed[]
  /** Allowed on the cluster, it stands for all of them; null: nothing does. */
  readonly suffices: Operation | null
}

const { Read, Write, Create, Delete, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs } = Operation
const on = (resource: Resource, ...operations: readonly Operation[]): ApiNeed[] => operations.map(operation => ({ operation, resource }))
const topic = (...operations: readonly Operation[]) => on(Resource.Topic, ...operations)
const group = (...operations: readonly Operation[]) => on(Resource.Group, ...operations)
const transactionalId = (...operations: readonly Operation[]) => on(Resource.TransactionalId, ...operations)
const cluster = (...operations: readonly Operation[]) => on(Resource.Cluster, ...operations)

/** APIs whose needs no row of the rule table spells out: they have a plan of their own. */
const SPECIAL: { readonly [name: string]: readonly ApiNeed[] } = {
  Produce: [...topic(Write), ...transactionalId(Write)],
  Fetch: topic(Read),
  Metadata: topic(Describe),
  OffsetFetch: [...group(Describe), ...topic(Describe)],
  FindCoordinator: [...group(Describe), ...transactionalId(Describe)],
  CreateTopics: topic(Create),
  DeleteTopics: topic(Describe, Delete),
  InitProducerId: transactionalId(Write),
  DescribeAcls: cluster(Describe),
  AddPartitionsToTxn: [...transactionalId(Write), ...topic(Write)],
  DescribeConfigs: [...topic(DescribeConfigs), ...group(DescribeConfigs), ...cluster(DescribeConfigs)],
  AlterConfigs: [...topic(AlterConfigs), ...group(AlterConfigs), ...cluster(AlterConfigs)],
  IncrementalAlterConfigs: [...topic(AlterConfigs), ...group(AlterConfigs), ...cluster(AlterConfigs)],
  CreatePartitions: topic(Alter),
  DescribeProducers: topic(Read),
  ConsumerGroupHeartbeat: [...group(Read), ...topic(Describe)],
  ConsumerGroupDescribe: [...group(Describe), ...topic(Describe)],
  DescribeTopicPartitions: topic(Describe),
  ShareGroupHeartbeat: [...group(Read), ...topic(Describe)],
  ShareGroupDescribe: [...group(Describe), ...topic(Describe)],
  ShareFetch: [...group(Read), ...topic(Read)],
  ShareAcknowledge: [...group(Read), ...topic(Read)],
  InitializeShareGroupState: cluster(ClusterAction),
  ReadShareGroupState: cluster(ClusterAction),
  WriteShareGroupState: cluster(ClusterAction),
  DeleteShareGroupState: cluster(ClusterAction),
  ReadShareGroupStateSummary: cluster(ClusterAction),
  StreamsGroupHeartbeat: [...group(Read), ...topic(Describe)],
  StreamsGroupDescribe: [...group(Describe), ...topic(Describe)],
  DescribeShareGroupOffsets: [...group(Describe), ...topic(Describe)],
  AlterShareGroupOffsets: [...group(Read), ...topic(Read)],
  DeleteShareGroupOffsets: [...group(Delete), ...topic(Read)],
}

/** The names of the APIs that are served. */
export const servedApis = (): string[] => rules.map(rule => rule.api.name)

/** @param version null: the newest that is served. @returns null when that API, or that version of it, is not served */
export function needsOf(name: string, version: number | null): ApiNeeds | null {
  const rule = rules.find(({ api }) => api.name.toLowerCase() === name.toLowerCase())
  if (rule === undefined) return null
  const newest = Math.min(rule.api.versions.max, rule.versions.max)
  const at = version ?? newest
  if (!within(rule.versions, at) || !within(rule.api.versions, at)) return null
  return { rule, version: at, needs: SPECIAL[rule.api.name] ?? spelledOut(rule, at), suffices: rule.unless }
}

function spelledOut(rule: Rule, version: number): ApiNeed[] {
  const needs: ApiNeed[] = rule.cluster === null ? [] : cluster(rule.cluster)
  const asked = (need: Need, side: 'request' | 'response'): void => {
    const resource = resourceOf(need, rule, version, side)
    if (resource !== null) needs.push({ operation: need.operation, resource })
  }
  for (const need of rule.whole) asked(need, 'request')
  if (rule.all !== null) asked(rule.all, 'request')
  if (rule.each !== null) asked(rule.each, 'request')
  if (rule.shown !== null) asked(rule.shown, 'response')
  return needs
}

function resourceOf({ paths }: Need, rule: Rule, version: number, side: 'request' | 'response'): Resource | null {
  const layout = layoutOf(rule.api, version, side)
  for (const path of paths) {
    const slot = path.endsWith('[]') ? slotAt(layout, path.slice(0, -2))?.of : slotAt(layout, path)
    if (!slot || 'slots' in slot) continue
    return slot.name === 'topicId' ? Resource.Topic : (RESOURCE_OF[slot.entity ?? ''] ?? Resource.Topic)
  }
  return null
}
