// How a scenario is written: given, when, then; or given and steps, each with its when and then. One file a case.

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { apis } from '../../src/protocol/messages/index.ts'
import type { Api } from '../../src/protocol/schema.ts'

/** Grants and rules as a policy file has them, without their ids. */
export interface PolicyText {
  readonly grants?: readonly object[]
  readonly rules?: readonly object[]
}

export interface When extends PolicyText {
  /** `service:alice`; `admin` asks the cluster itself, past the gate, and is not compared. */
  readonly as?: string
  /** Steps of one connection come one after the other; default: the first of its principal. */
  readonly connection?: number
  /** Default: those of the scenario. */
  readonly api?: string
  readonly version?: number
  readonly request?: object
}

export const THE_REQUEST = 'the request'
export const THE_ANSWER = 'the answer'
/** A message, several in order, `nothing`, or that it is what it came from: `the request`, `the answer`. */
export type Message = object | string

export function messagesOf(message: Message, request: object): object[] {
  if (message === THE_REQUEST) return [request]
  if (typeof message === 'string') return []
  return Array.isArray(message) ? message : [message]
}

export interface Then {
  readonly 'broker sees': Message
  readonly 'broker answers'?: Message
  /** `closed`: the connection has ended. */
  readonly 'client sees': Message
  /** Where that is not what a broker with an authorizer answers: what it answers. */
  readonly 'Kafka answers'?: Message
}

export interface Step {
  readonly when: When
  readonly then?: Then
}

export interface Given extends PolicyText {
  /** Topics of one partition, empty, made for this scenario, beside those that are always there. */
  readonly topics?: readonly string[]
}

export interface Scenario {
  /** `Produce/13/one of two.yaml` */
  readonly file: string
  readonly api: Api
  readonly version: number
  readonly given: Given
  readonly steps: readonly Step[]
  /** Where what the client sees was seen. */
  readonly source: string
  /** Why that is not what Kafka answers. */
  readonly differs?: string
}

/** Always there, each with one partition and one record. */
export const TOPICS = ['orders', 'payments', 'payroll'] as const

export const FOLDER = fileURLToPath(new URL('.', import.meta.url))

export const scenarioFiles = (): string[] =>
  readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.yaml'))
    .sort()

const KEYS = ['given', 'when', 'then', 'steps', 'source', 'differs']

/** @throws when it is not written as one */
export function readScenario(file: string): Scenario {
  const text = parse(readFileSync(join(FOLDER, file), 'utf8'))
  const [apiName, version, name] = relative(FOLDER, join(FOLDER, file)).split('/')
  const api = apis.find(a => a.name === apiName)
  if (api === undefined || name === undefined || !/^\d+$/.test(version!)) throw new Error(`${file}: no API and version of this path`)
  for (const key of Object.keys(text)) if (!KEYS.includes(key)) throw new Error(`${file}: ${key} means nothing here`)
  const steps: readonly Step[] = text.steps ?? [text]
  for (const { when } of steps) {
    const asks = when.request !== undefined && typeof when.as === 'string'
    if (!asks && when.grants === undefined && when.rules === undefined)
      throw new Error(`${file}: a step says neither who asks what, nor what is granted now`)
  }
  return { ...text, file, api, version: Number(version), given: text.given ?? {}, steps, source: text.source ?? '' }
}

/** The API and version that a step asks. */
export function askedBy(scenario: Scenario, when: When): { readonly api: Api; readonly version: number } {
  const api = when.api === undefined ? scenario.api : apis.find(a => a.name === when.api)
  if (api === undefined) throw new Error(`${scenario.file}: no API ${when.api}`)
  return { api, version: when.version ?? scenario.version }
}
