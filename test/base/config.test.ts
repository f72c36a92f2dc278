// topicgate.yaml: defaults, what is filled in, and every way in which it is refused.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { demandClientAddress, loadConfig } from '../../src/base/config.ts'
import { InvalidFileError, problemText } from '../../src/base/errors.ts'

const SMALL = `version: 1
cluster: { name: main, bootstrap: [127.0.0.1:9092] }
listeners:
  - name: clients
    bind: 127.0.0.1:0
issuers:
  - { alias: corp, issuer: "https://keycloak.example.com/realms/main", audience: kafka }
`

function load(t: { after(end: () => void): void }, text: string, sets: readonly string[] = [], env: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'topicgate-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'secret'), 's3cret\n')
  writeFileSync(join(folder, 'empty'), '')
  const file = join(folder, 'topicgate.yaml')
  writeFileSync(file, text)
  return loadConfig(file, sets, env)
}

function problems(
  t: { after(end: () => void): void },
  text: string,
  sets: readonly string[] = [],
  env: Record<string, string> = {},
): string[] {
  try {
    load(t, text, sets, env)
  } catch (error) {
    if (error instanceof InvalidFileError) return error.problems.map(problem => problemText({ ...problem, file: basename(problem.file) }))
    throw error
  }
  return []
}

const changed = (from: string, to: string) => {
  assert.ok(SMALL.includes(from))
  return SMALL.replace(from, to)
}

test('the smallest file has the documented defaults, and cannot be changed', t => {
  const config = load(t, SMALL)

  assert.deepEqual(config.listeners, [
    {
      name: 'clients',
      bind: { host: '127.0.0.1', port: 0 },
      tls: null,
      advertise: null,
      brokers: 'auto',
      clientAddress: null,
      issuers: ['corp'],
    },
  ])
  assert.deepEqual(config.limits, {
    connections: 10_000,
    requestBytes: 100 * 1024 ** 2,
    heldBytes: 512 * 1024 ** 2,
    loginTimeMs: 10_000,
    sessionMaxMs: 3_600_000,
    inFlight: 256,
    idleMs: 540_000,
  })
  assert.deepEqual(config.authorizer, {
    engine: 'embedded',
    openfga: null,
    cache: { grantsMs: 30_000, objectsMs: 10_000, maxStaleMs: 0, entries: 100_000 },
  })
  assert.deepEqual(
    [config.health, config.audit, config.workers, basename(config.policy)],
    [null, { to: [], allows: 'none' }, 'auto', 'policy.yaml'],
  )
  assert.throws(() => Object.assign(config.limits, { connections: 1 }), TypeError)
  assert.deepEqual(structuredClone(config), config)
})

test('every value that stands in the example with the word default, or no remark, is the default', t => {
  const example = loadConfig('config/topicgate.example.yaml', [], {})
  const small = load(t, SMALL)

  assert.deepEqual(example.limits, small.limits)
  assert.deepEqual(example.authorizer.cache, small.authorizer.cache)
  assert.deepEqual(
    [example.authorizer.engine, example.audit.allows, example.workers],
    [small.authorizer.engine, small.audit.allows, small.workers],
  )
})

test('variables, defaults and files are filled in, and numbers among them are numbers', t => {
  const text = changed(
    'bind: 127.0.0.1:0',
    'bind: "127.0.0.1:${PORT}"\n    brokers: { ports: "${FIRST:-9200}-9300", firstNode: "${NODE}" }',
  )
  const openfga = 'authorizer: { engine: openfga, openfga: { url: "https://fga", store: "$${x}", token: "${file:secret}" } }\n'

  const config = load(t, `${text}workers: \${WORKERS:-3}\n${openfga}`, [], { PORT: '9199', NODE: '7' })

  assert.deepEqual(config.listeners[0]!.bind, { host: '127.0.0.1', port: 9199 })
  assert.deepEqual(config.listeners[0]!.brokers, { firstPort: 9200, lastPort: 9300, firstNode: 7, firstAdvertised: 9200 })
  assert.deepEqual([config.workers, config.authorizer.openfga!.store, config.authorizer.openfga!.token], [3, '${x}', 's3cret'])
})

const token = (text: string) => `${SMALL}authorizer: { engine: openfga, openfga: { url: "https://fga", store: x, token: "${text}" } }\n`

test('an empty secret, a default for a secret, and a secret that is not there are refused', t => {
  const at = 'topicgate.yaml:8:80  authorizer.openfga.token'
  assert.deepEqual(problems(t, token('')), [`${at}  this secret is empty  leave it out if the server asks for none`])
  assert.deepEqual(problems(t, token('${file:empty}')), [`${at}  this secret is empty  an empty secret is never meant`])
  assert.deepEqual(problems(t, token('${T}'), [], { T: '' }), [`${at}  this secret is empty  an empty secret is never meant`])
  assert.deepEqual(problems(t, token('${T:-x}')), [`${at}  a secret may have no default  write \${T} or \${file:path}`])
  assert.deepEqual(problems(t, token('${T}')), [`${at}  the environment variable T is not set`])
  assert.deepEqual(problems(t, token('${file:nowhere}')), [`${at}  cannot read the file of \${file:nowhere}  ENOENT`])
})

test('--set stands in place of what the file says, and is checked like it', t => {
  const config = load(t, SMALL, ['limits.connections=5', 'listeners[0].bind=127.0.0.1:9100', 'cluster.name=other', 'workers=1'])
  assert.deepEqual([config.limits.connections, config.listeners[0]!.bind.port, config.cluster.name, config.workers], [5, 9100, 'other', 1])

  assert.deepEqual(problems(t, SMALL, ['limits.connection=5', 'workers=many', 'x']), [
    '--set:1:1  x  is not key=value  write --set cluster.name=test',
    '--set:1:1  limits.connection  unknown key  did you mean connections?',
    '--set:1:1  workers  many is not known here  known: auto',
  ])
})

const BAD: readonly (readonly [string, string, readonly string[]])[] = [
  [
    'a wildcard address without tls: off and without an advertised host',
    changed('127.0.0.1:0', '0.0.0.0:9092'),
    [
      'topicgate.yaml:4:5  listeners[0].tls  is missing, and 0.0.0.0 is not a loopback address  tokens would travel in the clear: tls: { cert: …, key: … }; tls: off says that this is meant',
      'topicgate.yaml:4:5  listeners[0].advertise  is missing, and clients cannot connect to 0.0.0.0  advertise: { host: … } is what clients are told',
    ],
  ],
  [
    'TLS towards clients that is not whole',
    changed('127.0.0.1:0', '127.0.0.1:0\n    tls: { cert: a, clientAuth: required }'),
    [
      'topicgate.yaml:6:10  listeners[0].tls  has no key  tls: { cert: gate.pem, key: gate.key }',
      'topicgate.yaml:6:33  listeners[0].tls.clientAuth  is required, and there is no clientCa  clientCa: who signs the certificates',
    ],
  ],
  [
    'certificate authorities of clients that nobody asks for',
    changed('127.0.0.1:0', '127.0.0.1:0\n    tls: { cert: a, key: b, clientCa: c }'),
    ['topicgate.yaml:6:39  listeners[0].tls.clientCa  is not used  clientAuth: optional, or required'],
  ],
  [
    'networks of load balancers that are none',
    changed('127.0.0.1:0', '127.0.0.1:0\n    clientAddress: { proxyProtocol: [10.0.1.1/24, lb] }'),
    [
      'topicgate.yaml:6:38  listeners[0].clientAddress.proxyProtocol[0]  10.0.1.1 has bits set after the first 24  write 10.0.1.0/24',
      'topicgate.yaml:6:51  listeners[0].clientAddress.proxyProtocol[1]  "lb" is not an IP address  write 10.0.1.0/24',
    ],
  ],
  [
    'server names without TLS, without a name to bootstrap from, or beside ports',
    changed('127.0.0.1:0', '127.0.0.1:0\n    brokers: { sni: "b{nodeId}.example.com", ports: auto }'),
    [
      'topicgate.yaml:4:5  listeners[0].advertise  is missing, and brokers are told apart by name  advertise: { host: gate.example.com } is the name that clients bootstrap from',
      'topicgate.yaml:6:21  listeners[0].brokers.sni  needs tls  plain connections carry no server name: tls: { cert: …, key: … }',
      'topicgate.yaml:6:53  listeners[0].brokers.ports  stands beside sni  one port serves all brokers',
    ],
  ],
  [
    'server names of brokers that are none',
    changed(
      '127.0.0.1:0',
      '127.0.0.1:0\n    tls: { cert: a, key: b }\n    advertise: { host: 10.0.0.1 }\n    brokers: { sni: "b.example.com" }',
    ),
    [
      'topicgate.yaml:7:16  listeners[0].advertise  is no name  advertise: { host: gate.example.com } is the name that clients bootstrap from',
      'topicgate.yaml:8:21  listeners[0].brokers.sni  is not a host name with one {nodeId} in it  write b{nodeId}.gate.example.com',
    ],
  ],
  [
    'a bootstrap name that is a broker’s',
    changed(
      '127.0.0.1:0',
      '127.0.0.1:0\n    tls: { cert: a, key: b }\n    advertise: { host: b1.example.com }\n    brokers: { sni: "b{nodeId}.example.com" }',
    ),
    ['topicgate.yaml:8:21  listeners[0].brokers.sni  gives broker 1 the bootstrap name b1.example.com  keep them apart'],
  ],
  [
    'a range of ports that runs backwards',
    changed('127.0.0.1:0', '127.0.0.1:0\n    brokers: { ports: 9192-9093 }'),
    ['topicgate.yaml:6:23  listeners[0].brokers.ports  9192-9093 is not a range of ports  ports are 1 to 65535, the smaller first'],
  ],
  [
    'advertised ports that are more than there are ports, or have none beside them',
    changed('127.0.0.1:0', '127.0.0.1:9092\n    brokers: { ports: 9093-9095, advertisedPorts: 19093-19096 }'),
    [
      'topicgate.yaml:6:51  listeners[0].brokers.advertisedPorts  are not as many as ports 9093-9095  each port has one that clients are told',
    ],
  ],
  [
    'ports of brokers that include the listener’s own',
    changed('127.0.0.1:0', '127.0.0.1:9095\n    brokers: { ports: 9093-9192 }'),
    ['topicgate.yaml:6:23  listeners[0].brokers.ports  ports 9093-9192 meet ports 9095-9095 of listener clients  keep them apart'],
  ],
  [
    'a login by an unknown issuer',
    changed('127.0.0.1:0', '127.0.0.1:0\n    login: [{ oauthbearer: [crop] }]'),
    ['topicgate.yaml:6:29  listeners[0].login[0].oauthbearer[0]  no issuer has the alias crop  did you mean corp?'],
  ],
  [
    'an alias that stands twice',
    `${SMALL}  - { alias: corp, issuer: "https://other", audience: kafka }\n`,
    ['topicgate.yaml:8:14  issuers[1].alias  corp stands twice  each alias stands once'],
  ],
  [
    'an issuer by http',
    changed('https://keycloak', 'http://keycloak'),
    [
      'topicgate.yaml:7:28  issuers[0].issuer  is http and not on a loopback address  use https, or say allowHttp: true if the network is trusted',
    ],
  ],
  [
    'the OpenFGA engine without its address',
    `${SMALL}authorizer: { engine: openfga }\n`,
    ['topicgate.yaml:8:13  authorizer.openfga  is missing, and engine is openfga  openfga: { url: …, store: … }'],
  ],
  [
    'held bytes that are too few for one request',
    `${SMALL}limits: { requestBytes: 100MiB, heldBytes: 399MiB }\n`,
    ['topicgate.yaml:8:44  limits.heldBytes  is less than four times requestBytes  a request of the largest size must find room'],
  ],
  [
    'sizes and durations without a unit',
    `${SMALL}limits: { requestBytes: 1000, loginTime: 10sec }\n`,
    [
      'topicgate.yaml:8:25  limits.requestBytes  must be text, not a number',
      'topicgate.yaml:8:42  limits.loginTime  is not a duration  write 250ms, 10s, 5m or 1h',
    ],
  ],
  [
    'an audit topic',
    `${SMALL}audit: { to: [kafka:audit] }\n`,
    ['topicgate.yaml:8:15  audit.to[0]  kafka: is not supported yet  stdout, or file:PATH'],
  ],
  [
    'an admin API that others could reach',
    `${SMALL}admin: { bind: "0.0.0.0:9990", tls: off }\n`,
    [
      'topicgate.yaml:8:8  admin.auth  is missing, and 0.0.0.0 is not a loopback address  auth: { issuer: …, scope: … }: whose tokens are taken, and with which scope',
      'topicgate.yaml:8:8  admin.hosts  is missing, and nobody calls it 0.0.0.0  hosts: [admin.example.com]: the names that requests may call it by',
      'topicgate.yaml:8:37  admin.tls  is missing, and 0.0.0.0 is not a loopback address  tls: { cert: admin.pem, key: admin.key }',
    ],
  ],
  [
    'an admin API with half a certificate, and an issuer that is not there',
    `${SMALL}admin: { bind: "127.0.0.1:9990", tls: { cert: a.pem, clientAuth: required }, auth: { issuer: cord, scope: a } }\n`,
    [
      'topicgate.yaml:8:39  admin.tls  has no key  tls: { cert: admin.pem, key: admin.key }',
      'topicgate.yaml:8:66  admin.tls.clientAuth  says nothing here  callers show a token: leave it out',
      'topicgate.yaml:8:94  admin.auth.issuer  no issuer has the alias cord  did you mean corp?',
    ],
  ],
]

for (const [what, text, expected] of BAD) {
  test(`${what}: refused with its place and a mend`, t => {
    assert.deepEqual(problems(t, text), expected)
  })
}

test('an admin API on a loopback address is called by its names, and takes tokens of every issuer with a scope of its own', t => {
  const { admin } = load(t, `${SMALL}admin: { bind: "127.0.0.1:9990", hosts: [gate.local] }\n`)

  assert.deepEqual(admin, {
    bind: { host: '127.0.0.1', port: 9990 },
    tls: null,
    hosts: ['localhost', '127.0.0.1', '::1', 'gate.local'],
    issuers: ['corp'],
    scope: 'topicgate-admin',
  })
})

test('a file that is not there is one problem', () => {
  assert.throws(() => loadConfig('nowhere.yaml'), /^InvalidFileError: nowhere\.yaml:1:1 {2}\. {2}does not exist$/)
})

test('a policy may be missing when none is named and the store is judged by as it is', t => {
  const openfga = 'openfga: { url: "http://127.0.0.1:8080", store: 01J00000000000000000000000 }'
  const may = (text: string, ...sets: string[]) => load(t, SMALL + text, sets).policyMayBeMissing

  assert.deepEqual([may(''), may('authorizer: { engine: embedded }\n'), may(`authorizer: { ${openfga} }\n`)], [false, false, false])
  const store = `authorizer: { engine: openfga, ${openfga} }\n`
  assert.deepEqual([may(store), may(`${store}policy: policy.yaml\n`), may(store, 'policy=policy.yaml')], [true, false, false])
  assert.equal(may(store, 'authorizer.openfga.apply=auto'), false)
})

test('a policy that reads addresses wants to know where each listener has them from', t => {
  const config = load(t, SMALL)

  assert.throws(
    () => demandClientAddress(config),
    /topicgate\.yaml:4:5 {2}listeners\[0\]\.clientAddress {2}is missing, and the policy uses from/,
  )
  demandClientAddress(load(t, changed('127.0.0.1:0', '127.0.0.1:0\n    clientAddress: direct')))
})

test('every option of the schema stands in the example', () => {
  const example = readFileSync('config/topicgate.example.yaml', 'utf8')
  const schema = JSON.parse(readFileSync('config/topicgate.schema.json', 'utf8'))
  // What this version refuses.
  const later = ['sni', 'proxyProtocol', 'cert', 'key', 'clientCa', 'clientAuth']
  const keys = new Set<string>()
  const gather = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    for (const [key, value] of Object.entries(node)) {
      if (key === 'properties') for (const name of Object.keys(value as object)) keys.add(name)
      gather(value)
    }
  }
  gather(schema)
  const missing = [...keys].filter(key => !later.includes(key) && !new RegExp(`[\\s{#]${key}:`).test(example))
  assert.deepEqual(missing, [])
})
