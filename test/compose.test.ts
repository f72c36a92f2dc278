// docker-compose.yml and the modules of Go hold the same versions, names and settings as the project's own scripts.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parse } from 'yaml'
import { brokerProperties } from '../scripts/stack/kafka.ts'
import { keycloakEnvironment, REALM } from '../scripts/stack/keycloak.ts'
import { settings } from '../scripts/stack/openfga.ts'
import { versions } from '../scripts/stack/versions.ts'
import { sharedOpenFga } from './parts.ts'

const root = join(import.meta.dirname, '..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const compose = parse(read('docker-compose.yml'))
const config = parse(read('docker/topicgate/topicgate.yaml'))
const realm = JSON.parse(read('docker/keycloak/realm.json'))
const { kafka, keycloak, openfga, store, topicgate } = compose.services

test('images have the pinned versions', () => {
  assert.equal(kafka.image, `apache/kafka:${versions.kafka.broker}`)
  assert.equal(keycloak.image, `keycloak/keycloak:${versions.keycloak}`)
  assert.equal(openfga.image, `openfga/openfga:v${versions.openfga.server}`)
})

test('the image of TopicGate has the pinned major version of Node', () => {
  const major = JSON.parse(read('package.json')).devDependencies.node.split('.')[0]
  const bases = [...read('Dockerfile').matchAll(/^FROM (\S+)/gm)].map(([, image]) => image)

  assert.deepEqual(
    bases,
    bases.map(() => `node:${major}-slim`),
  )
})

test('the broker is set up as the scripts set it up, but for its addresses', () => {
  const ours = brokerProperties(1, 9092, 9093, '1@kafka:9093', '', {})
  const addresses = /127\.0\.0\.1/g
  for (const [variable, value] of Object.entries(kafka.environment)) {
    const property = variable
      .replace(/^KAFKA_/, '')
      .toLowerCase()
      .replaceAll('_', '.')
    assert.equal(value, ours[property]?.replace(addresses, 'kafka'), property)
  }
})

test('Keycloak has the same administrator and imports the same realm', () => {
  const { KC_BOOTSTRAP_ADMIN_USERNAME, KC_BOOTSTRAP_ADMIN_PASSWORD } = keycloakEnvironment
  assert.equal(keycloak.environment.KC_BOOTSTRAP_ADMIN_USERNAME, KC_BOOTSTRAP_ADMIN_USERNAME)
  assert.equal(keycloak.environment.KC_BOOTSTRAP_ADMIN_PASSWORD, KC_BOOTSTRAP_ADMIN_PASSWORD)
  assert.equal(realm.realm, REALM)
  assert.ok(keycloak.volumes.includes('./docker/keycloak/realm.json:/opt/keycloak/data/import/realm.json:ro'))
})

test('OpenFGA is set up as the scripts set it up', () => {
  const flags = Object.entries(openfga.environment).map(([variable, value]) => [
    variable
      .replace(/^OPENFGA_/, '')
      .toLowerCase()
      .replaceAll('_', '-'),
    value,
  ])
  // Its lines are for people here, and for programs there.
  const { 'log-format': _, ...ours } = settings
  assert.deepEqual(Object.fromEntries(flags), ours)
})

test('TopicGate looks for its neighbours where they are', () => {
  const [issuer] = config.issuers
  assert.equal(issuer.issuer, `${keycloak.environment.KC_HOSTNAME}/realms/${REALM}`)
  assert.equal(new URL(issuer.jwks).host, 'keycloak:8080')
  assert.ok(realm.clients.some(({ clientId }: { clientId: string }) => clientId === issuer.audience))
  assert.deepEqual(config.cluster.bootstrap, [kafka.environment.KAFKA_LISTENERS.match(/CLIENTS:\/\/([^,]+)/)[1]])
  assert.equal(new URL(config.authorizer.openfga.url).hostname, 'openfga')
  assert.deepEqual(Object.keys(topicgate.depends_on).sort(), ['kafka', 'keycloak', 'store'])
})

test('the ports that clients are told are published', () => {
  const [{ advertise, brokers, bind }] = config.listeners
  const [first, last] = brokers.ports.split('-').map(Number)
  assert.equal(bind.split(':')[1], String(advertise.port))
  assert.equal(first, advertise.port + 1)
  assert.ok(topicgate.ports.includes(`127.0.0.1:${advertise.port}-${last}:${advertise.port}-${last}`))
  assert.equal(brokers.firstNode, Number(kafka.environment.KAFKA_NODE_ID))
})

test('the store is where TopicGate reads its id', () => {
  const folder = '/run/topicgate'
  assert.ok(config.authorizer.openfga.store.includes(`file:${folder}/`))
  assert.ok(store.volumes.includes(`store:${folder}`))
  assert.ok(topicgate.volumes.includes(`store:${folder}:ro`))
})

test('init-store.sh makes a store with the model, and leaves its id where TopicGate reads it', async t => {
  const openFga = await sharedOpenFga()
  const folder = temporary(t)
  const script = read('docker/topicgate/init-store.sh')
  const here: Readonly<Record<string, string>> = { 'http://openfga:8080': openFga.url, '/run/topicgate': folder, '/tmp': folder }
  writeFileSync(join(folder, 'topicgate'), `#!/bin/sh\nexec node ${join(root, 'src', 'main.ts')} "$@"\n`, { mode: 0o755 })
  const PATH = [folder, dirname(process.execPath), process.env['PATH']].join(delimiter)

  const replaced = script.replaceAll(new RegExp(Object.keys(here).join('|'), 'g'), found => here[found]!)
  execFileSync('sh', ['-c', replaced], { stdio: 'pipe', env: { ...process.env, PATH } })

  const store = readFileSync(join(folder, 'store'), 'utf8').trim()
  assert.equal((await openFga.call('GET', `/stores/${store}`)).name, 'topicgate')
  assert.equal((await openFga.call('GET', `/stores/${store}/authorization-models`)).authorization_models.length, 1)
  assert.ok(script.includes(`--url ${config.authorizer.openfga.url} `))
})

test('validate accepts the files of TopicGate, once there is a store', t => {
  const folder = temporary(t)
  cpSync(join(root, 'docker', 'topicgate'), folder, { recursive: true })
  const file = join(folder, 'topicgate.yaml')
  writeFileSync(join(folder, 'store'), '01J00000000000000000000000')
  writeFileSync(file, read('docker/topicgate/topicgate.yaml').replace('file:/run/topicgate/store', 'file:store'))

  execFileSync(process.execPath, [join(root, 'src', 'main.ts'), 'validate', '-c', file], { stdio: 'pipe' })
})

test('the Go modules are at the pinned versions', () => {
  const modules = (file: string) =>
    Object.fromEntries([...read(file).matchAll(/^\s+(\S+) v(\S+)$/gm)].map(([, name, version]) => [name, version]))
  const { 'github.com/openfga/openfga': server, 'github.com/openfga/cli': cli } = modules('scripts/stack/openfga/go.mod')
  const franz = modules('test/e2e/clients/franz-go/go.mod')

  assert.deepEqual({ server, cli }, versions.openfga)
  assert.equal(franz['github.com/twmb/franz-go'], versions.clients.franzGo)
  assert.equal(franz['github.com/twmb/franz-go/pkg/kadm'], versions.clients.franzGoKadm)
  assert.equal(modules('test/fakes/kfake/go.mod')['github.com/twmb/franz-go/pkg/kfake'], versions.clients.kfake)
  assert.match(read('test/e2e/clients/sarama/go.mod'), new RegExp(`^require github.com/IBM/sarama v${versions.clients.sarama}$`, 'm'))
})

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'topicgate-compose-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}
