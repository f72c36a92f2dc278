// Whether policies mean one thing: thousands of random ones, embedded, behind OpenFGA, and as plain checks of any program.

import fc from 'fast-check'
import { OpenFgaStore } from '../../src/policy/openfga-client.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { sharedOpenFga } from '../../test/parts.ts'
import { moments, policy, principal, question } from '../../test/policy/arbitrary.ts'
import { compareMeanings } from '../../test/policy/meaning.ts'

const option = (name: string, otherwise: number): number => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? otherwise : Number(process.argv[at + 1])
}

/** Stores that are asked at the same time. */
const LANES = 4
/** A store keeps its changes for ever: after so many policies there is a new one. */
const POLICIES_A_STORE = 100

interface Sum {
  policies: number
  questions: number
  allowed: number
}

export async function measure(): Promise<Record<string, unknown>> {
  const policies = option('policies', 2_000)
  const seed = option('seed', Date.now() % 2 ** 31)
  const startMs = performance.now()
  const sum: Sum = { policies: 0, questions: 0, allowed: 0 }
  await Promise.all(Array.from({ length: LANES }, (_, lane) => meanings(Math.ceil(policies / LANES), seed + lane, sum)))
  const seconds = Math.round((performance.now() - startMs) / 1_000)
  return { seed, ...sum, differences: 0, seconds }
}

/** @throws at the first difference, with the seed that leads to it */
async function meanings(policies: number, seed: number, sum: Sum): Promise<void> {
  const openFga = await sharedOpenFga()
  const address = { url: openFga.url, token: null }
  const storeOf = async () => {
    const { store, model } = await openFga.createStore('meaning', shippedModel())
    return { store, model, address, client: new OpenFgaStore(address, store, model, 30_000) }
  }
  let made = await storeOf()
  let done = 0
  const people = fc.array(principal, { minLength: 1, maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(policy, people, fc.array(question, { minLength: 1, maxLength: 4 }), moments, async (random, who, asked, times) => {
      if (++done % POLICIES_A_STORE === 0) made = await storeOf()
      const { questions, allowed } = await compareMeanings(made, random, who, asked, times.slice(0, 2))
      sum.policies++
      sum.questions += questions
      sum.allowed += allowed
    }),
    { numRuns: policies, seed, endOnFailure: true, interruptAfterTimeLimit: option('minutes', 240) * 60_000 },
  )
}
