// What tests have seen of clients, for docs/clients.md: one line a cell, in the file that `npm test` names.

import { appendFileSync } from 'node:fs'

/** The environment variable with that file's path; unset, nothing is kept. */
export const SHOWN = 'TOPICGATE_TEST_SHOWN'

/** The tables, each with its rows in the order of the page; of `admin` every method of the interface is a row. */
export const ROWS = {
  features: [
    'produces to all brokers, consumes in a group',
    'logs in with the token of a person',
    'lists the topics that it may describe, and no others',
    'makes and deletes topics',
    'cooperative rebalancing (KIP-429)',
    'group of the new protocol (KIP-848)',
    'the same, subscribed by a pattern',
    'share group (KIP-932)',
    'exactly once: read, process, write',
    'carries on when a broker is killed',
    'TLS, a port for each broker',
    'TLS, one port and a name for each broker (SNI)',
  ],
  refusals: [
    'writes a hidden topic',
    'subscribes to a hidden topic',
    'joins a group that it may not read',
    'makes or deletes a topic that is not its own',
    'subscribes to a hidden topic in a share group',
    'uses a transactional id that is not its own',
    'writes a hidden topic in a transaction',
    'logs in with a forged token',
  ],
  programs: [
    'Kafka Streams, exactly once',
    'Kafka Streams, streams group (KIP-1071)',
    'Kafka Connect, file source and sink',
    'console producer and consumer',
  ],
} as const
export type Rows = typeof ROWS

/** One cell; `text` is what the page has there. */
export interface Cell {
  readonly table: keyof Rows | 'admin'
  readonly row: string
  readonly column: string
  readonly text: string
}

/** Called at the end of a test: what it says has been seen. */
export function shown<T extends keyof Rows>(table: T, row: Rows[T][number], column: string, text = 'yes'): void {
  keep({ table, row, column, text })
}

/** A call of Java's Admin interface: what came of it, and why it differs from what the cluster would say. */
export function shownCall(method: string, outcomes: Readonly<Record<string, string>>): void {
  for (const [column, text] of Object.entries(outcomes)) keep({ table: 'admin', row: method, column, text })
}

function keep(cell: Cell): void {
  const file = process.env[SHOWN]
  if (file) appendFileSync(file, `${JSON.stringify(cell)}\n`)
}
