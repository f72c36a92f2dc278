// Requests that are a list of which some elements go to the broker and others are answered here, for reasons of their own.

import { compileEncode } from '../../protocol/codec.ts'
import type { Api } from '../../protocol/schema.ts'
import { type Operation, Verdict } from '../authorizer.ts'
import { Edition, elementOf } from '../edition.ts'
import { type FIRST, IN_ORDER, type LAST, type ListAt, listFinder, withGrafts, without } from '../graft.ts'
import { Judging, UNDECIDED } from '../judging.ts'
import type { Name } from '../names.ts'
import { type Caller, type Outcome, PASS, type Plan, type ResponseEdit } from '../outcome.ts'

/** It cannot be decided what this element's sender is told. */
export const UNSURE = 'unsure'
/** An answer of this element was given with an earlier one. */
export const SAID = 'said'
/** What becomes of one element: null: the broker is asked; else the element of the response. */
export type Fate = object | null | typeof UNSURE | typeof SAID

export interface Split {
  readonly api: Api
  /** The list of the request, and the list of the response that answers for it. */
  readonly list: string
  readonly into: string
  readonly place: typeof FIRST | typeof LAST | typeof IN_ORDER
  /** One fate for each element, in their order. Must ask all that it may come to need. */
  fates(elements: readonly any[], judging: Judging): Fate[]
  /** The whole request is answered so, whoever asks; null: it is judged. */
  invalid?(elements: readonly any[]): object | null
  /** Takes out of the broker's answer what no client is shown; true when it changed something. */
  blanks?(response: any): boolean
}

/** `operation` on `name`: null: allowed; else what `answer` makes of Kafka's refusal. */
export function fateOf(judging: Judging, operation: Operation, name: Name, answer: () => object): Fate {
  const verdict = judging.check(operation, name)
  if (verdict === Verdict.Allowed) return null
  if (verdict === Verdict.Refused) {
    judging.refused(operation, name)
    return answer()
  }
  judging.undecided(operation, name)
  return UNSURE
}

export const splitPlan =
  (split: Split) =>
  (version: number): Plan =>
    new SplitPlan(split, version)

class SplitPlan implements Plan {
  readonly apiKey: number
  readonly apiVersion: number
  readonly #split: Split
  readonly #edition: Edition
  readonly #findAsked: (request: Buffer) => ListAt
  readonly #findAnswers: (response: Buffer) => ListAt
  readonly #encodeAnswer: (answer: object) => Buffer

  constructor(split: Split, version: number) {
    this.apiKey = split.api.key
    this.apiVersion = version
    this.#split = split
    this.#edition = new Edition(split.api, version)
    this.#findAsked = listFinder(this.#edition, 'request', split.list)
    this.#findAnswers = listFinder(this.#edition, 'response', split.into)
    this.#encodeAnswer = compileEncode(elementOf(this.#edition.response, split.into))
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const { list, into, fates: judge, invalid } = this.#split
    const elements: readonly any[] = this.#edition.decodeRequest(frame)[list]
    const wrong = invalid?.(elements) ?? null
    if (wrong !== null) return this.#edition.answer(frame, wrong)
    const judging = new Judging(caller, last)
    const fates = judge(elements, judging)
    if (judging.mustWait) return judging.wait()
    judging.tell()
    if (fates.includes(UNSURE)) return UNDECIDED
    const answers = fates.filter(fate => fate !== null && fate !== SAID) as object[]
    if (elements.length > 0 && !fates.includes(null)) return this.#edition.answer(frame, { [into]: answers })
    const response = this.#edit(fates, answers)
    if (fates.every(fate => fate === null)) {
      return response === null ? PASS : { kind: 'forward', frames: null, response, thenClose: false }
    }
    const rest = without(frame, this.#findAsked(frame), i => fates[i] !== null, this.#edition.flexible)
    return { kind: 'forward', frames: [rest], response, thenClose: false }
  }

  #edit(fates: readonly Fate[], answers: readonly object[]): ResponseEdit | null {
    const { place, blanks } = this.#split
    if (answers.length === 0 && blanks === undefined) return null
    const before: number[] = []
    let kept = 0
    for (const fate of fates) {
      if (fate === null) kept++
      else if (fate !== SAID) before.push(place === IN_ORDER ? kept : place)
    }
    const grafts = answers.map((answer, i) => ({ before: before[i]!, bytes: this.#encodeAnswer(answer) }))
    const whole = ([frame]: readonly Buffer[]): Buffer => {
      const shown = this.#blanked(frame!)
      return grafts.length === 0 ? shown : withGrafts(shown, this.#findAnswers(shown), grafts, this.#edition.flexible)
    }
    return { frames: 1, stream: () => null, whole }
  }

  #blanked(frame: Buffer): Buffer {
    const { blanks } = this.#split
    if (blanks === undefined) return frame
    const response = this.#edition.decodeResponse(frame)
    return blanks(response) ? this.#edition.withBody(frame, response) : frame
  }
}
