// The two ways of clients through TLS: one port and a name for each broker, and a port for each broker with client certificates.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Authority, Certificate } from '../../scripts/stack/certificates.ts'
import type { ClientTls } from './client.ts'
import type { Gate } from './gate.ts'

/** What clients bootstrap from, and what stands in the gate's certificate with all names below it. */
export const GATE_NAME = 'gate.example.test'
export const ways = ['names', 'ports'] as const
export type Way = (typeof ways)[number]

export interface Ways {
  /** The file that clients need as /etc/hosts. */
  readonly hosts: string
  /** Of the gate, with the names that clients use. */
  readonly certificate: Certificate
  /** `listeners:` of the gate: one for each way. */
  readonly listeners: readonly object[]
  /** What a client whose certificate says CN=shop opens. */
  to(gate: Gate, way: Way): { readonly bootstrap: string; readonly tls: ClientTls }
}

/** @param nodeIds of the brokers, whose names must be known before any client starts */
export async function openWays(folder: string, authority: Authority, nodeIds: readonly number[]): Promise<Ways> {
  const names = [`DNS:${GATE_NAME}`, `DNS:*.${GATE_NAME}`, 'DNS:localhost', 'IP:::1']
  const [certificate, shop] = [await authority.issue('gate', { names }), await authority.issue('shop')]
  const hosts = join(folder, 'hosts')
  writeFileSync(hosts, `127.0.0.1 ${[GATE_NAME, ...nodeIds.map(id => `b${id}.${GATE_NAME}`)].join(' ')}\n::1 localhost\n`)
  const { ca } = authority
  const tls = { cert: certificate.cert, key: certificate.key }
  const listeners = [
    { name: 'names', bind: '127.0.0.1:0', tls, advertise: { host: GATE_NAME }, brokers: { sni: `b{nodeId}.${GATE_NAME}` } },
    {
      name: 'ports',
      bind: '[::1]:0',
      tls: { ...tls, clientCa: ca, clientAuth: 'required' },
      advertise: { host: 'localhost' },
      brokers: { ports: 'auto' },
    },
  ]
  return {
    hosts,
    certificate,
    listeners,
    to: (gate, way) => {
      const port = new RegExp(`^listener ${way} .*?:(\\d+) `, 'm').exec(readFileSync(gate.logFile, 'utf8'))![1]
      return way === 'names' ? { bootstrap: `${GATE_NAME}:${port}`, tls: { ca } } : { bootstrap: `localhost:${port}`, tls: { ca, ...shop } }
    },
  }
}
