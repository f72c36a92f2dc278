// Kafka's jars, fetched by Maven: the broker alone, or broker and command-line tools.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { locked, once, run, stackHome } from './cache.ts'
import { versions } from './versions.ts'

/** The folder with the jars of a broker, at the pinned version unless another is given. */
export function kafkaLibs(version: string = versions.kafka.broker): Promise<string> {
  // kafka-tools-api is not published for every release, and a broker runs without it.
  const broker = dependency('org.apache.kafka', `kafka_${versions.kafka.scala}`, version, ['kafka-tools-api'])
  return jars(`kafka-${version}`, `Apache Kafka ${version}`, [broker, logging()])
}

/** The folder with the jars of broker, command-line tools and AdminClient, at the tools' pinned version. */
export function toolLibs(version: string = versions.kafka.tools): Promise<string> {
  const broker = dependency('org.apache.kafka', `kafka_${versions.kafka.scala}`, version)
  const tools = dependency('org.apache.kafka', 'kafka-tools', version)
  return jars(`kafka-tools-${version}`, `Apache Kafka ${version} with its tools`, [broker, tools, logging()])
}

/** The folder with the jars of Kafka Streams and of Kafka Connect with its file connectors; apart, since RocksDB alone has 70 MB. */
export function streamsLibs(version: string = versions.kafka.tools): Promise<string> {
  const parts = ['kafka-streams', 'connect-runtime', 'connect-file'].map(name => dependency('org.apache.kafka', name, version))
  return jars(`kafka-streams-${version}`, `Kafka Streams and Connect ${version}`, [...parts, logging()])
}

/** The folder with the jars of a broker, of Kafka's own tests of it, and of what runs them. */
export function suiteLibs(version: string = versions.kafka.tools): Promise<string> {
  const { junit, junitPlatform, mockito } = versions.kafka
  const broker = dependency('org.apache.kafka', `kafka_${versions.kafka.scala}`, version)
  const tested = [`kafka_${versions.kafka.scala}`, 'kafka-clients', 'kafka-server', 'kafka-server-common', 'kafka-metadata', 'kafka-raft']
  const tests = tested.map(name => dependency('org.apache.kafka', name, version, ['*'], 'test'))
  const common = ['runtime', 'internal-api', 'util'].map(name => dependency('org.apache.kafka', `kafka-test-common-${name}`, version))
  const runners = [
    dependency('org.junit.jupiter', 'junit-jupiter', junit),
    dependency('org.junit.platform', 'junit-platform-launcher', junitPlatform),
    dependency('org.mockito', 'mockito-core', mockito),
  ]
  return jars(`kafka-suite-${version}`, `Kafka's own tests ${version}`, [broker, ...tests, ...common, ...runners, logging()])
}

/** Without this binding slf4j is silent, and so is a broker. */
function logging(): string {
  return dependency('org.apache.logging.log4j', 'log4j-slf4j-impl', versions.kafka.log4jSlf4jImpl)
}

/** @param without artifacts of the group to leave out, or `*`: everything that it needs */
function dependency(group: string, artifact: string, version: string, without: readonly string[] = [], classifier = ''): string {
  const left = (name: string) => (name === '*' ? '*' : group)
  const exclusions = without.map(name => `<exclusion><groupId>${left(name)}</groupId><artifactId>${name}</artifactId></exclusion>`)
  const excluded = exclusions.length ? `<exclusions>${exclusions.join('')}</exclusions>` : ''
  const classified = classifier === '' ? '' : `<classifier>${classifier}</classifier>`
  return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>${classified}${excluded}</dependency>`
}

async function jars(key: string, what: string, dependencies: readonly string[]): Promise<string> {
  const folder = await once(key, what, async draft => {
    writeFileSync(join(draft, 'pom.xml'), pom(key, `<dependencies>${dependencies.join('')}</dependencies>`))
    mkdirSync(join(draft, 'libs'))
    await maven(draft, 'dependency:copy-dependencies', '-DoutputDirectory=libs', '-DincludeScope=runtime')
  })
  return join(folder, 'libs')
}

/** A project file that only lists what is to be fetched. */
export function pom(name: string, body: string): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>topicgate</groupId><artifactId>${name}</artifactId><version>1</version><packaging>pom</packaging>${body}</project>\n`
}

/**
 * Runs Maven in a folder, one at a time: its local repository is not made for two.
 * -U, because Maven remembers a failed download and would not try again.
 */
export async function maven(folder: string, ...goal: string[]): Promise<void> {
  await locked(join(stackHome(), 'maven.lock'), 'Maven', () => run('mvn', ['-q', '-B', '-U', ...goal], { cwd: folder }))
}
