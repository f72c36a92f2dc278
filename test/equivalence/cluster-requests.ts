// What is asked of both sides about the cluster as a whole, its ACLs, tokens and credentials.

import { ABSENT, ADMIN, HIDDEN, OPEN, type Shape } from './shapes.ts'

const NO_ID = '0'.repeat(32)
const acl = {
  resourceType: 2,
  resourceName: 'eq-nowhere',
  resourcePatternType: 3,
  principal: 'User:nobody',
  host: '*',
  operation: 3,
  permissionType: 3,
}
const filter = {
  resourceTypeFilter: 2,
  resourceNameFilter: 'eq-nowhere',
  patternTypeFilter: 3,
  principalFilter: null,
  hostFilter: null,
  operation: 1,
  permissionType: 1,
}
const entry = (user: string) => ({
  entity: [{ entityType: 'user', entityName: user }],
  ops: [{ key: 'consumer_byte_rate', value: 1000, remove: false }],
})

const shape = (api: string, name: string, body: object): Shape => ({ api, shape: name, body: () => body })

export const CLUSTER_SHAPES: readonly Shape[] = [
  shape('DescribeAcls', 'all', { ...filter, resourceTypeFilter: 1, resourceNameFilter: null }),
  shape('CreateAcls', 'two', { creations: [acl, acl] }),
  shape('CreateAcls', 'none', { creations: [] }),
  shape('DeleteAcls', 'two', { filters: [filter, filter] }),
  shape('DeleteAcls', 'none', { filters: [] }),
  shape('AlterReplicaLogDirs', 'no such folder', {
    dirs: [{ path: '/eq-nowhere', topics: [OPEN, HIDDEN, ABSENT].map(name => ({ name, partitions: [0] })) }],
  }),
  shape('AlterReplicaLogDirs', 'none', { dirs: [] }),
  shape('DescribeLogDirs', 'named', { topics: [OPEN, HIDDEN, ABSENT].map(topic => ({ topic, partitions: [0] })) }),
  shape('DescribeLogDirs', 'all', { topics: null }),
  shape('DescribeLogDirs', 'none', { topics: [] }),
  shape('ElectLeaders', 'named', {
    electionType: 0,
    topicPartitions: [OPEN, HIDDEN, ABSENT].map(topic => ({ topic, partitions: [0] })),
    timeoutMs: 5000,
  }),
  shape('ElectLeaders', 'all', { electionType: 0, topicPartitions: null, timeoutMs: 5000 }),
  shape('ElectLeaders', 'none', { electionType: 0, topicPartitions: [], timeoutMs: 5000 }),
  shape('AlterPartitionReassignments', 'cancelled', {
    timeoutMs: 5000,
    topics: [OPEN, ABSENT].map(name => ({ name, partitions: [{ partitionIndex: 0, replicas: null }] })),
  }),
  shape('AlterPartitionReassignments', 'none', { timeoutMs: 5000, topics: [] }),
  shape('ListPartitionReassignments', 'all', { timeoutMs: 5000, topics: null }),
  shape('ListPartitionReassignments', 'named', { timeoutMs: 5000, topics: [{ name: HIDDEN, partitionIndexes: [0, 1] }] }),
  shape('DescribeClientQuotas', 'all', { components: [], strict: false }),
  shape('DescribeClientQuotas', 'users', { components: [{ entityType: 'user', matchType: 2, match: null }], strict: false }),
  shape('AlterClientQuotas', 'two', { entries: [entry('eq-x'), entry('eq-y')], validateOnly: true }),
  shape('AlterClientQuotas', 'none', { entries: [], validateOnly: true }),
  shape('DescribeUserScramCredentials', 'named', { users: ['eq-x', 'eq-y', 'eq-x'].map(name => ({ name })) }),
  shape('DescribeUserScramCredentials', 'none', { users: [] }),
  shape('AlterUserScramCredentials', 'one of each', {
    deletions: [{ name: 'eq-x', mechanism: 1 }],
    upsertions: [{ name: 'eq-a', mechanism: 1, iterations: 4096, salt: Buffer.from('salt'), saltedPassword: Buffer.alloc(32) }],
  }),
  shape('DescribeQuorum', 'metadata', { topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }] }),
  shape('UpdateFeatures', 'no such feature', {
    timeoutMs: 5000,
    featureUpdates: [{ feature: 'eq.nowhere', maxVersionLevel: 1, allowDowngrade: false, upgradeType: 1 }],
    validateOnly: true,
  }),
  shape('UnregisterBroker', 'no such broker', { brokerId: 99 }),
  shape('UnregisterController', 'no such controller', { controllerId: 99 }),
  shape('ListConfigResources', 'all', { resourceTypes: [] }),
  shape('ListConfigResources', 'topics', { resourceTypes: [2] }),
  shape('ListConfigResources', 'no such kind', { resourceTypes: [99] }),
  shape('AddRaftVoter', 'no such node', {
    clusterId: null,
    timeoutMs: 1000,
    voterId: 99,
    voterDirectoryId: NO_ID,
    listeners: [{ name: 'CONTROLLER', host: '127.0.0.1', port: 1 }],
  }),
  shape('RemoveRaftVoter', 'no such node', { clusterId: null, voterId: 99, voterDirectoryId: NO_ID }),
  shape('CreateDelegationToken', 'own', { ownerPrincipalType: null, ownerPrincipalName: null, renewers: [], maxLifetimeMs: -1n }),
  {
    ...shape('CreateDelegationToken', 'of somebody else', {
      ownerPrincipalType: 'User',
      ownerPrincipalName: 'nobody',
      renewers: [],
      maxLifetimeMs: -1n,
    }),
    versions: [3, 3],
  },
  shape('CreateDelegationToken', 'strange renewer', { renewers: [{ principalType: 'Group', principalName: ADMIN }], maxLifetimeMs: -1n }),
  shape('RenewDelegationToken', 'any', { hmac: Buffer.from('mac'), renewPeriodMs: 1000n }),
  shape('ExpireDelegationToken', 'any', { hmac: Buffer.from('mac'), expiryTimePeriodMs: 1000n }),
  shape('DescribeDelegationToken', 'all', { owners: null }),
  shape('DescribeDelegationToken', 'none', { owners: [] }),
]
