// A gate of fakes before a fake broker, both closed at the end of the test.

import assert from 'node:assert/strict'
import { type FakeBroker, fakeBroker } from './broker.ts'
import { FakeClient } from './client.ts'
import { type FakeWorld, type FakeWorldOptions, fakeWorld } from './gate.ts'

/** What is open in this test, in the order in which it was opened. */
export const open: { close(): unknown }[] = []

/** For `afterEach`. */
export async function closeAll(): Promise<void> {
  for (const one of open.splice(0).reverse()) await one.close()
}

export async function world(
  options: Omit<FakeWorldOptions, 'broker'> = {},
  broker?: FakeBroker,
): Promise<{ gate: FakeWorld; broker: FakeBroker }> {
  const behind = broker ?? (await fakeBroker())
  const gate = await fakeWorld({ ...options, broker: behind })
  open.push(behind, gate)
  return { gate, broker: behind }
}

export async function loggedIn(gate: FakeWorld, name?: string): Promise<FakeClient> {
  const client = await FakeClient.connect(gate.port)
  assert.equal(await client.login(name), 0)
  return client
}
