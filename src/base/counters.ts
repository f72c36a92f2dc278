// Counts that the data path keeps: plain numbers in shared memory, one row a worker, read out when metrics are asked for.

/** One slot each; the order is the layout. Names become `topicgate_<snake case>_total`. */
export const COUNTERS = [
  'connectionsOpened',
  'connectionsClosed',
  'requestsJudged',
  'requestsForwarded',
  'requestsAnswered',
  'requestsRefused',
  'topicsJudged',
  'bytesFromClients',
  'bytesFromBrokers',
  'malformed',
  'closedApi',
  'notKafka',
  'oversized',
  'loginsAccepted',
  'loginsRefused',
  'loginsUndecided',
  'sessionsExpired',
  'undecided',
  'heldBytesRefused',
  'bugs',
  'dialFailed',
  'brokerLoginsRefused',
  'brokerClosed',
  'rightsLost',
  'unknownTopicInResponse',
  'auditDropped',
  'tlsOnPlainPort',
  'plainOnTlsPort',
  'tlsFailed',
  'unknownServerName',
  'clientCertificateRefused',
  'proxyHeaderRefused',
  'brokerFull',
] as const
export type CounterName = (typeof COUNTERS)[number]

/** Index of each counter in a worker's row. */
export const Counter = Object.fromEntries(COUNTERS.map((name, i) => [name, i])) as Record<CounterName, number>

/** One worker's row: `row[Counter.requestsJudged]++`. */
export type CounterRow = Float64Array<ArrayBufferLike>
export const counterRow = (shared: SharedArrayBuffer, worker: number): CounterRow =>
  new Float64Array(shared, worker * COUNTERS.length * 8, COUNTERS.length)
export const counterMemory = (workers: number): SharedArrayBuffer => new SharedArrayBuffer(workers * COUNTERS.length * 8)
