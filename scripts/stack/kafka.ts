// A real Apache Kafka in KRaft mode, one broker or three, open or with an authorizer, on ports that were free.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './cache.ts'
import { kafkaLibs } from './jars.ts'
import { knownNodes, type PlainLogin } from './kafka-ready.ts'
import { dataFolder, onFreePorts, type Part, startPart, untilReady } from './part.ts'
import { versions } from './versions.ts'

/** A listener beside the one for clients that say nothing of themselves. */
export interface KafkaListener {
  /** In capitals, as Kafka has it. */
  readonly name: string
  readonly protocol: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'
  /** Broker properties that get the listener's prefix. */
  readonly properties?: Readonly<Record<string, string>>
}

export interface KafkaOptions {
  /** How many brokers; each is a controller too. Default 1. */
  readonly brokers?: 1 | 3
  /** Of all brokers, or of each in its turn. Default: the pinned broker version. */
  readonly version?: string | readonly string[]
  /** SASL/PLAIN users, each with its name as password, and StandardAuthorizer with `admin` as super user. */
  readonly authorizer?: boolean
  /** Whether asking for a topic makes it. Default true, as Kafka's. */
  readonly autoCreate?: boolean
  /** Further listeners of every broker. */
  readonly listeners?: readonly KafkaListener[]
  /** SCRAM users, each with its name as password, for both hashes. */
  readonly scramUsers?: readonly string[]
  /** Where data and logs lie. Default: a fresh folder that goes with this process. */
  readonly dataDir?: string
  /** Further broker properties. */
  readonly properties?: Readonly<Record<string, string>>
  /** A folder with further classes, for what `properties` name. */
  readonly classes?: string
  /** Further JVM options, such as `-Dkafka.request.level=DEBUG`. */
  readonly jvm?: readonly string[]
}

export interface KafkaNode {
  readonly id: number
  readonly host: string
  readonly port: number
  /** Ports of the further listeners, by name. */
  readonly ports: Readonly<Record<string, number>>
  readonly pid: number
  readonly logFile: string
}

export interface Kafka {
  /** `host:port` of every broker, with commas. */
  readonly bootstrap: string
  readonly nodes: readonly KafkaNode[]
  /** Ends all brokers. */
  stop(): Promise<void>
  /** Ends one broker as a crash would. */
  kill(id: number): Promise<void>
  /** Ends one broker in order and starts it again on its port and data, at another version if one is given; waits until the others know it. */
  restart(id: number, version?: string): Promise<void>
}

/** Any 22 characters of base64url will do; one that stays makes runs alike. */
const CLUSTER_ID = 'QD2eE8S_TeCfZhljAA9JHQ'
/** Who may log in to a broker with an authorizer; the password is the name. */
export const oracleUsers = ['admin', 'alice', 'bob', 'carol', 'dave', 'erin', 'frank'] as const
const ADMIN: PlainLogin = { username: 'admin', password: 'admin' }
const JVM = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
const READY_TIMEOUT_MS = 120_000

/** Starts Kafka and returns once every broker answers and knows all the others. */
export async function startKafka(options: KafkaOptions = {}): Promise<Kafka> {
  const count = options.brokers ?? 1
  const versionOf = (at: number) =>
    typeof options.version === 'object' ? options.version[at]! : (options.version ?? versions.kafka.broker)
  const wanted = Array.from({ length: count }, (_, at) => versionOf(at))
  // Maven is asked once for each.
  const libs: string[] = []
  for (const version of wanted) libs.push(await kafkaLibs(version))
  const folder = options.dataDir ?? dataFolder(options.authorizer ? 'oracle' : 'kafka')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'log4j2.properties'), LOG4J)
  const release = new Set(wanted).size > 1 ? releaseOf(wanted) : undefined
  return onFreePorts(count * (2 + (options.listeners?.length ?? 0)), ports => startOn(libs, folder, ports, options, release))
}

/** The oldest of these, as `storage format` wants a release: all of them must understand what the cluster writes. */
function releaseOf(wanted: readonly string[]): string {
  const [oldest] = wanted.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  return oldest!.split('.').slice(0, 2).join('.')
}

async function startOn(
  libs: readonly string[],
  folder: string,
  ports: readonly number[],
  options: KafkaOptions,
  release?: string,
): Promise<Kafka> {
  const count = options.brokers ?? 1
  const further = options.listeners ?? []
  const login = options.authorizer ? ADMIN : undefined
  const voters = Array.from({ length: count }, (_, at) => `${at + 1}@127.0.0.1:${ports[count + at]}`).join(',')
  const brokers = Array.from({ length: count }, (_, at) => {
    const id = at + 1
    const own = Object.fromEntries(further.map(({ name }, i) => [name, ports[count * 2 + at * further.length + i]]))
    const properties = brokerProperties(id, ports[at], ports[count + at], voters, join(folder, `data-${id}`), options, own)
    const file = join(folder, `node-${id}.properties`)
    writeFileSync(
      file,
      `${Object.entries(properties)
        .map(([key, value]) => `${key}=${value}`)
        .join('\n')}\n`,
    )
    return { id, port: ports[at], ports: own, file, libs: libs[at]! }
  })
  await Promise.all(brokers.map(broker => format(broker.libs, broker.file, options.scramUsers ?? [], release)))
  const classPath = (from: string) => [...(options.classes ? [options.classes] : []), join(from, '*')].join(':')
  const launch = (id: number, file: string, from: string) =>
    startPart(`kafka-${id}`, 'java', [...jvm(folder, options), '-cp', classPath(from), 'kafka.Kafka', file], { folder })
  const parts: Part[] = brokers.map(broker => launch(broker.id, broker.file, broker.libs))
  const ready = async (only = brokers) => {
    await Promise.all(
      only.map(({ id, port }) => untilReady(parts[id - 1], async () => (await knownNodes(port, login)) === count, READY_TIMEOUT_MS)),
    )
  }
  const stop = async () => {
    // What nobody will read again need not be written in order.
    await Promise.all(parts.map(part => (options.dataDir ? part.stop() : part.kill())))
  }
  try {
    await ready()
  } catch (error) {
    await Promise.all(parts.map(part => part.kill()))
    throw error
  }
  return {
    bootstrap: brokers.map(({ port }) => `127.0.0.1:${port}`).join(','),
    get nodes() {
      return brokers.map(({ id, port, ports: own }) => ({
        id,
        host: '127.0.0.1',
        port,
        ports: own,
        pid: parts[id - 1].pid,
        logFile: parts[id - 1].logFile,
      }))
    },
    stop,
    kill: id => parts[id - 1].kill(),
    restart: async (id, version) => {
      const { file, libs: own } = brokers[id - 1]!
      const from = version === undefined ? own : await kafkaLibs(version)
      await parts[id - 1].stop()
      parts[id - 1] = launch(id, file, from)
      await ready()
    },
  }
}

/** Formats a node's folder; one that is formatted stays as it is. */
async function format(libs: string, file: string, scramUsers: readonly string[], release?: string): Promise<void> {
  const scram = scramUsers.flatMap(name => ['256', '512'].flatMap(bits => ['-S', `SCRAM-SHA-${bits}=[name=${name},password=${name}]`]))
  const options = ['--ignore-formatted', '-t', CLUSTER_ID, '-c', file, ...(release ? ['--release-version', release] : []), ...scram]
  await run('java', ['-Xmx128m', ...JVM, '-cp', join(libs, '*'), 'kafka.tools.StorageTool', 'format', ...options])
}

function jvm(folder: string, options: KafkaOptions): string[] {
  return ['-Xms64m', '-Xmx256m', ...JVM, `-Dlog4j2.configurationFile=${join(folder, 'log4j2.properties')}`, ...(options.jvm ?? [])]
}

/** The properties of one node, as its file has them. */
export function brokerProperties(
  id: number,
  port: number,
  controllerPort: number,
  voters: string,
  dataDir: string,
  options: KafkaOptions,
  further: Readonly<Record<string, number>> = {},
): Record<string, string> {
  const replicas = String(options.brokers ?? 1)
  const minInSync = options.brokers === 3 ? '2' : '1'
  const protocol = options.authorizer ? 'SASL_PLAINTEXT' : 'PLAINTEXT'
  return {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'broker.rack': `rack-${id}`,
    'controller.quorum.voters': voters,
    'controller.listener.names': 'CONTROLLER',
    listeners: [
      `CLIENTS://127.0.0.1:${port}`,
      `CONTROLLER://127.0.0.1:${controllerPort}`,
      ...Object.entries(further).map(([name, own]) => `${name}://127.0.0.1:${own}`),
    ].join(),
    'listener.security.protocol.map': [
      'CONTROLLER:PLAINTEXT',
      `CLIENTS:${protocol}`,
      ...(options.listeners ?? []).map(l => `${l.name}:${l.protocol}`),
    ].join(),
    ...Object.fromEntries((options.listeners ?? []).flatMap(listenerProperties)),
    'inter.broker.listener.name': 'CLIENTS',
    'log.dirs': dataDir,
    'auto.create.topics.enable': String(options.autoCreate ?? true),
    'default.replication.factor': replicas,
    'min.insync.replicas': minInSync,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minInSync,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': minInSync,
    ...SMALL,
    ...(options.authorizer ? authorizerProperties() : {}),
    ...options.properties,
  }
}

function listenerProperties({ name, properties = {} }: KafkaListener): [string, string][] {
  return Object.entries(properties).map(([key, value]) => [`listener.name.${name.toLowerCase()}.${key}`, value])
}

/** A broker of a test has few partitions, few threads and no time to lose. */
const SMALL = {
  'offsets.topic.num.partitions': '1',
  'transaction.state.log.num.partitions': '1',
  'share.coordinator.state.topic.num.partitions': '1',
  'num.partitions': '3',
  'broker.session.timeout.ms': '6000',
  'broker.heartbeat.interval.ms': '1000',
  'group.initial.rebalance.delay.ms': '0',
  'group.consumer.heartbeat.interval.ms': '1000',
  'group.consumer.min.heartbeat.interval.ms': '1000',
  'num.network.threads': '2',
  'num.io.threads': '4',
  'num.replica.fetchers': '1',
  'background.threads': '2',
  'log.cleaner.dedupe.buffer.size': '4194304',
  'log.segment.bytes': '16777216',
}

/** ANONYMOUS is the broker half on its way to the controller half, over a listener that only they use. */
function authorizerProperties(): Record<string, string> {
  const users = oracleUsers.map(name => `user_${name}="${name}"`).join(' ')
  return {
    'sasl.mechanism.inter.broker.protocol': 'PLAIN',
    'sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.clients.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="admin" ${users};`,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:admin;User:ANONYMOUS',
    'allow.everyone.if.no.acl.found': 'false',
    'delegation.token.secret.key': 'an-oracle-needs-no-secret',
  }
}

/** Decisions of the authorizer and whole requests can be had in the log by `-Dkafka.authz.level` and `-Dkafka.request.level`. */
const LOG4J = `status = error
rootLogger.level = \${sys:kafka.log.level:-INFO}
rootLogger.appenderRef.out.ref = OUT
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %-5p %c{1} %m%n
logger.authz.name = kafka.authorizer.logger
logger.authz.level = \${sys:kafka.authz.level:-INFO}
logger.request.name = kafka.request.logger
logger.request.level = \${sys:kafka.request.level:-WARN}
`
