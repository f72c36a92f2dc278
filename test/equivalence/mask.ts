// Makes two answers comparable: what must differ between two clusters is masked, what must not is left.

/** Fields that name one cluster, one run or one moment. */
const MASKED = new Set([
  'throttleTimeMs',
  'host',
  'port',
  'clusterId',
  'rack',
  'memberId',
  'leader',
  'producerId',
  'clientHost',
  'logAppendTimeMs',
  'timeoutMs',
  'heartbeatIntervalMs',
  'unknownTags',
  'transactionStartTimeMs',
  'principalName',
  'tokenRequesterPrincipalName',
  'logDir',
  'partitionSize',
  'totalBytes',
  'usableBytes',
  'logEndOffset',
  'highWatermark',
  'lastFetchTimestamp',
  'lastCaughtUpTimestamp',
  'replicaDirectoryId',
])
/** Lists whose order a broker does not promise, each sorted by what its elements are called. */
const UNORDERED = new Set([
  'topicPartitions',
  'topics',
  'groups',
  'coordinators',
  'transactionStates',
  'markers',
  'configResources',
  'resultsByTopicV3AndBelow',
  'replicaElectionResults',
])
/** The same, unless they answer for resources: those keep the order of the request. */
const UNORDERED_NAMES = new Set(['responses', 'results'])
const CALLED = [
  'name',
  'topic',
  'topicName',
  'topicId',
  'groupId',
  'key',
  'transactionalId',
  'user',
  'resourceName',
  'partitionIndex',
  'errorCode',
] as const

export interface Ids {
  /** The name of a topic by its id in hex. */
  readonly nameOf: ReadonlyMap<string, string>
}

export function mask(value: any, ids: Ids, key = ''): any {
  if (Buffer.isBuffer(value)) return value.toString('hex')
  if (typeof value === 'bigint') return value.toString()
  if (Array.isArray(value)) {
    const items = value.map(v => mask(v, ids))
    return inOrder(key, items)
  }
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, maskField(k, v, ids)]))
  return value
}

/** Known by all that is said of them: members' ids are drawn, and an ACL has no name. */
const KNOWN_BY_ALL = new Set(['members', 'resources', 'acls'])

/** The elements of a list, sorted if a broker promises no order for this one. */
export function inOrder(key: string, items: any[]): any[] {
  const by = KNOWN_BY_ALL.has(key) ? JSON.stringify : isUnordered(key, items) ? called : null
  return by === null ? items : items.sort((a, b) => (by(a) < by(b) ? -1 : 1))
}

const isUnordered = (key: string, items: any[]): boolean =>
  UNORDERED.has(key) || (UNORDERED_NAMES.has(key) && !items.some(item => item.resourceName !== undefined))

function maskField(key: string, value: any, ids: Ids): any {
  if (MASKED.has(key)) return value === null || value === '' || value === -1 || value === -1n ? String(value) : '*'
  if (key === 'topicId') return ids.nameOf.get(String(value).replaceAll('-', '')) ?? (/^[0-]*$/.test(String(value)) ? 'none' : '*')
  // KafkaApis.handleError writes the whole request into the text; the gate gives Kafka's default text.
  if (key === 'errorMessage' && String(value).startsWith('Request Request(')) return 'Cluster authorization failed.'
  // A service of the gate's issuer `dev` is a user of the broker.
  if (key === 'principal') return String(value).replace(/^Service:dev\//, 'User:')
  if (key === 'sessionId') return value === 0 ? 0 : '*'
  return mask(value, ids, key)
}

const called = (item: any): string => CALLED.map(field => String(item[field] ?? '~')).join(' ')
