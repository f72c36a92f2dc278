// A broker that does what its test says, on a real loopback socket.

import net from 'node:net'
import { Frames } from './frames.ts'

export interface BrokerEnd extends Frames {
  write(bytes: Buffer): void
}

class End extends Frames implements BrokerEnd {
  write(bytes: Buffer): void {
    this.socket.write(bytes)
  }
}

export interface FakeBroker {
  readonly host: string
  readonly port: number
  /** Connections in the order in which they came; waits for the next one that was not asked for yet. */
  accepted(): Promise<BrokerEnd>
  readonly connections: readonly BrokerEnd[]
  close(): Promise<void>
}

/** `serve` is called with each connection; without it the test reads and writes by `accepted`. */
export async function fakeBroker(serve?: (end: BrokerEnd) => void): Promise<FakeBroker> {
  const connections: BrokerEnd[] = []
  const waiting: (() => void)[] = []
  let given = 0
  const server = net.createServer({ noDelay: true }, socket => {
    const end = new End(socket)
    connections.push(end)
    serve?.(end)
    for (const wake of waiting.splice(0)) wake()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    host: '127.0.0.1',
    port: (server.address() as net.AddressInfo).port,
    connections,
    async accepted() {
      while (connections.length <= given) await new Promise<void>(resolve => waiting.push(resolve))
      return connections[given++]!
    },
    close() {
      for (const { socket } of connections) socket.destroy()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}

/** Answers every frame with what `answer` makes of it, in order. */
export async function answerAll(end: BrokerEnd, answer: (frame: Buffer) => Buffer | null): Promise<void> {
  for (let frame = await end.next(); frame !== null; frame = await end.next()) {
    const bytes = answer(frame)
    if (bytes !== null) end.write(bytes)
  }
}
