// The programs that drive the client families in tests, built once from test/e2e/clients: how each is run.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { once, run } from './cache.ts'
import { goProgram, hashOf } from './go.ts'
import { streamsLibs, suiteLibs, toolLibs } from './jars.ts'
import { versions } from './versions.ts'

/** The four client families that are tested through the gate. */
export const families = ['kafkajs', 'java', 'librdkafka', 'franz-go'] as const
/** One more, which runs where the client itself is the question. */
export const allFamilies = [...families, 'sarama'] as const
export type Family = (typeof allFamilies)[number]

const sources = join(import.meta.dirname, '..', '..', 'test', 'e2e', 'clients')

/** The command that runs a family's driver, made first when it is not there. */
export async function driverCommand(family: Family): Promise<readonly string[]> {
  const { franzGo, sarama } = versions.clients
  switch (family) {
    case 'kafkajs':
      return [process.execPath, join(sources, 'kafkajs', 'driver.ts')]
    case 'java':
      return javaCommand('Driver')
    case 'librdkafka':
      return [join(await confluentKafka(), 'bin', 'python'), join(sources, 'librdkafka', 'driver.py')]
    case 'franz-go':
      return [await goProgram(join(sources, 'franz-go'), franzGo, `franz-go ${franzGo} test client`)]
    case 'sarama':
      return [await goProgram(join(sources, 'sarama'), sarama, `sarama ${sarama} test client`)]
  }
}

/** The command that runs one of the programs in test/e2e/clients/java. */
export async function javaCommand(program: 'Driver' | 'AdminCalls'): Promise<readonly string[]> {
  return java([await javaClasses(), join(await toolLibs(), '*')], program)
}

/** The folder with the classes of test/e2e/clients/java. */
export async function javaClasses(): Promise<string> {
  return classes('java', await toolLibs())
}

/** The command that counts words by Kafka Streams. @param endpoint where it may fetch tokens from */
export async function streamsCommand(endpoint: string): Promise<readonly string[]> {
  const libs = await streamsLibs()
  return java([await classes('streams', libs), join(libs, '*')], 'WordCount', { endpoint })
}

/** The command of Kafka Connect in one process; its properties files follow. @param endpoint where it may fetch tokens from */
export async function connectCommand(endpoint: string): Promise<readonly string[]> {
  return java([join(await streamsLibs(), '*')], 'org.apache.kafka.connect.cli.ConnectStandalone', { endpoint })
}

/** The command that runs Kafka's own tests through the gate; names of tests follow. */
export async function suiteCommand(): Promise<readonly string[]> {
  const libs = await suiteLibs()
  const driver = await javaClasses()
  const folder = join(sources, '..', '..', 'kafka-suite', 'java')
  const compiled = await once(`kafka-suite-classes-${versions.kafka.tools}-${hashOf(folder)}`, "Kafka's own tests", async draft => {
    await run('javac', ['-d', draft, '-cp', `${driver}:${join(libs, '*')}`, join(folder, 'ThroughGate.java')])
  })
  return java([compiled, driver, join(libs, '*')], 'ThroughGate', { heap: '1g' })
}

function java(classPath: readonly string[], program: string, { endpoint = '', heap = '256m' } = {}): readonly string[] {
  const allowed = endpoint === '' ? [] : [`-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${endpoint}`]
  return ['java', `-Xmx${heap}`, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', ...allowed, '-cp', classPath.join(':'), program]
}

/** The folder with the classes of the programs in a folder of test/e2e/clients. */
function classes(name: string, libs: string): Promise<string> {
  const folder = join(sources, name)
  return once(`${name}-driver-${versions.kafka.tools}-${hashOf(folder)}`, `${name} test client`, async draft => {
    const files = readdirSync(folder).map(file => join(folder, file))
    await run('javac', ['-nowarn', '-d', draft, '-cp', join(libs, '*'), ...files])
  })
}

/** A virtual environment is not moved well, so its Python is always called by path. */
function confluentKafka(): Promise<string> {
  const version = versions.clients.confluentKafka
  return once(`confluent-kafka-${version}`, `confluent-kafka ${version} (librdkafka)`, async draft => {
    await run('python3', ['-m', 'venv', draft])
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:']
    await run(join(draft, 'bin', 'python'), [...pip, `confluent-kafka==${version}`])
  })
}
