// Asks a broker, in Kafka's protocol, which nodes it knows: the only proof that it serves.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const ANSWER_TIMEOUT_MS = 5_000
const SASL_HANDSHAKE = 17
const SASL_AUTHENTICATE = 36
const METADATA = 3

/** A name and password for SASL/PLAIN. */
export interface PlainLogin {
  readonly username: string
  readonly password: string
}

/** How many nodes the broker at this port names in its metadata; 0 when it does not answer. */
export async function knownNodes(port: number, login?: PlainLogin): Promise<number> {
  const socket = connect(port, '127.0.0.1')
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy())
  try {
    await once(socket, 'connect')
    if (login) {
      const mechanism = await ask(socket, SASL_HANDSHAKE, 1, string('PLAIN'))
      if (mechanism.readInt16BE(4) !== 0) return 0
      const secret = Buffer.from(`\0${login.username}\0${login.password}`)
      const outcome = await ask(socket, SASL_AUTHENTICATE, 0, Buffer.concat([int32(secret.length), secret]))
      if (outcome.readInt16BE(4) !== 0) return 0
    }
    const metadata = await ask(socket, METADATA, 1, int32(0))
    return metadata.readInt32BE(4)
  } finally {
    socket.destroy()
  }
}

/** Sends one request with header v1 and returns its response: correlation id, then the body. */
async function ask(socket: Socket, apiKey: number, apiVersion: number, body: Buffer): Promise<Buffer> {
  const header = Buffer.alloc(8)
  header.writeInt16BE(apiKey, 0)
  header.writeInt16BE(apiVersion, 2)
  header.writeInt32BE(1, 4)
  const request = Buffer.concat([header, string('ready'), body])
  socket.write(Buffer.concat([int32(request.length), request]))
  const size = (await take(socket, 4)).readInt32BE(0)
  return take(socket, size)
}

async function take(socket: Socket, sizeBytes: number): Promise<Buffer> {
  for (;;) {
    const bytes: Buffer | null = socket.read(sizeBytes)
    if (bytes?.length === sizeBytes) return bytes
    if (socket.destroyed || socket.readableEnded) throw new Error('closed before it answered')
    await Promise.race([once(socket, 'readable'), once(socket, 'close')])
  }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function string(text: string): Buffer {
  const bytes = Buffer.alloc(2 + text.length)
  bytes.writeInt16BE(text.length)
  bytes.write(text, 2)
  return bytes
}
