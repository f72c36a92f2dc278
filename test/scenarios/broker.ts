// The broker of a replayed scenario: answers what was recorded, and keeps what it was asked.

import { answerAll, type FakeBroker, fakeBroker } from '../fakes/broker.ts'
import type { Recorded } from './naming.ts'
import { type Asked, isSilent, readRequest, responseFrame } from './play.ts'

export class RecordedBroker {
  readonly #fake: FakeBroker
  readonly asked: Asked[] = []
  answers: object[] = []
  #awaited: (() => void) | null = null

  static async start(naming: Recorded): Promise<RecordedBroker> {
    const broker: RecordedBroker = new RecordedBroker(await fakeBroker(end => void answerAll(end, frame => broker.#answer(frame, naming))))
    return broker
  }

  private constructor(fake: FakeBroker) {
    this.#fake = fake
  }

  get address(): { readonly host: string; readonly port: number } {
    return { host: this.#fake.host, port: this.#fake.port }
  }

  /** Resolves when so many requests have come. */
  async seen(count: number): Promise<readonly Asked[]> {
    while (this.asked.length < count) await new Promise<void>(resolve => (this.#awaited = resolve))
    return this.asked.splice(0)
  }

  /** Resolves when all connections have ended, so that nothing more can come. */
  async ended(): Promise<void> {
    await Promise.all(this.#fake.connections.map(end => end.closed))
    await this.#fake.close()
  }

  #answer(frame: Buffer, naming: Recorded): Buffer | null {
    const asked = readRequest(frame)
    this.asked.push(asked)
    this.#awaited?.()
    if (isSilent(asked)) return null
    const answer = this.answers.shift()
    // A request that nobody recorded: the client sees that the connection ends.
    if (answer === undefined) for (const { socket } of this.#fake.connections) socket.destroy()
    return answer === undefined ? null : responseFrame(asked, answer, naming)
  }
}
