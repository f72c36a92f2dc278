// `npm run check:kafka`: asks Maven, Go and pip whether there are newer versions than those in scripts/versions.json.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './stack/cache.ts'
import { pom } from './stack/jars.ts'
import { need } from './stack/needs.ts'
import { versions } from './stack/versions.ts'

need('java', 'maven', 'go', 'python')
const folder = mkdtempSync(join(tmpdir(), 'topicgate-versions-'))
try {
  await asked('Maven', maven)
  for (const modules of ['scripts/stack/openfga', 'test/e2e/clients/franz-go', 'test/e2e/clients/sarama', 'test/fakes/kfake']) {
    await asked(`Go, ${modules}`, () => go(modules))
  }
  await asked('pip', pip)
} finally {
  rmSync(folder, { recursive: true })
}

/** What one registry says; one that does not answer does not silence the others. */
async function asked(where: string, newer: () => Promise<readonly string[]>): Promise<void> {
  const lines = await newer().catch(error => [`could not be asked: ${String(error.message).split('\n').slice(1, 2)}`])
  const told = lines.map(line => line.trim()).filter(line => line !== '')
  console.log(told.length === 0 ? `${where}: nothing newer` : `${where}:\n${told.map(line => `  ${line}`).join('\n')}`)
}

/** Maven's own plugin prints `artifact .... pinned -> newest` for what is behind. */
async function maven(): Promise<readonly string[]> {
  const { kafka, keycloak } = versions
  const pinned = [
    ['org.apache.kafka', `kafka_${kafka.scala}`, kafka.broker, 'jar'],
    ['org.apache.kafka', 'kafka-tools', kafka.tools, 'jar'],
    ['org.apache.logging.log4j', 'log4j-slf4j-impl', kafka.log4jSlf4jImpl, 'jar'],
    ['org.keycloak', 'keycloak-quarkus-dist', keycloak, 'zip'],
  ].map(
    ([group, artifact, version, type]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version><type>${type}</type></dependency>`,
  )
  writeFileSync(join(folder, 'pom.xml'), pom('versions', `<dependencies>${pinned.join('')}</dependencies>`))
  const output = await run('mvn', ['-B', '-U', 'org.codehaus.mojo:versions-maven-plugin:2.18.0:display-dependency-updates'], {
    cwd: folder,
  })
  const newer = output.split('\n').filter(line => line.includes('->'))
  return newer.map(line => line.replace(/^\[INFO\]\s*/, '').replace(/\s*\.{2,}\s*/, ' '))
}

async function go(modules: string): Promise<readonly string[]> {
  return (
    await run(
      'go',
      ['list', '-m', '-u', '-f', '{{if and (not .Indirect) .Update}}{{.Path}} {{.Version}} -> {{.Update.Version}}{{end}}', 'all'],
      { cwd: modules },
    )
  ).split('\n')
}

async function pip(): Promise<readonly string[]> {
  const pinned = versions.clients.confluentKafka
  const newest = /\(([^)]+)\)/.exec(await run('python3', ['-m', 'pip', 'index', 'versions', 'confluent-kafka']))?.[1]
  return newest === pinned ? [] : [`confluent-kafka ${pinned} -> ${newest}`]
}
