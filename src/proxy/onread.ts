// Sockets that read into memory of ours: `onread` towards brokers, by what is private of Node for accepted ones, 'data' where that fails.

import net from 'node:net'
import tls from 'node:tls'
import { inPieces } from './pieces.ts'

/** Who is given what a socket reads. */
export interface ReadTarget {
  /** Where the next read goes; asked again after every `filled`. */
  target(): Uint8Array
  /** So many bytes have been read into what `target` gave last. */
  filled(count: number): void
  /** A chunk in memory of its own, where the socket cannot read into ours. */
  took(chunk: Buffer): void
}

interface PrivateHandle {
  useUserBuffer?(buffer: Uint8Array): void
}
type WithHandle = { _handle: PrivateHandle | null }

let handlesWork = false
let recordsWork = false
/** Accepted sockets read by `onread`: the self-test has shown that it works here. */
export const acceptsByHandle = (): boolean => handlesWork
/** Those behind TLS do too. */
export const acceptsSecured = (): boolean => recordsWork

/** A connection to a broker that reads into `target` (null: by 'data' events); not connected yet. */
export function connectTo(
  { host, port }: { readonly host: string; readonly port: number },
  target: ReadTarget | null,
  secure: tls.ConnectionOptions | null = null,
): net.Socket {
  const to = { host, port, ...(target !== null && { onread: reading(target) }) }
  const socket = secure === null ? net.connect(to) : tls.connect({ ...secure, ...to } as tls.ConnectionOptions)
  if (secure !== null) inPieces(socket)
  if (target !== null) byOnread.add(socket)
  socket.setNoDelay(true)
  socket.setKeepAlive(true, 30_000)
  return socket
}

/** Takes over a socket that a server with `pauseOnConnect` has accepted; the one to use from here on. It reads once it is resumed. */
export function adopt(accepted: net.Socket, target: ReadTarget): net.Socket {
  if (!handlesWork) {
    accepted.on('data', (chunk: Buffer) => target.took(chunk))
    accepted.pause()
    return accepted
  }
  return rewrap(accepted, target)
}

/** The same for one behind TLS: it reads a record at a time, of at most 16 KiB. */
export function adoptSecured(secured: tls.TLSSocket, target: ReadTarget): net.Socket {
  if (!recordsWork || !readInto(secured, target)) secured.on('data', (chunk: Buffer) => target.took(chunk))
  inPieces(secured)
  secured.pause()
  return secured
}

/** Sockets that read into memory of ours. */
const byOnread = new WeakSet<net.Socket>()

/** Lets the next read go somewhere else than `target` said last. False: this socket cannot, and nothing has changed. */
export function retarget(socket: net.Socket, buffer: Uint8Array): boolean {
  const handle = (socket as unknown as WithHandle)._handle
  if (handle === null || !byOnread.has(socket) || typeof handle.useUserBuffer !== 'function') return false
  handle.useUserBuffer(buffer)
  return true
}

let plainTest: Promise<boolean> | null = null
let securedTest: Promise<boolean> | null = null

/** Tries whether accepted sockets can be read by `onread`: a loopback pair must deliver its bytes. Once a thread, before the first accept. */
export async function selfTest(secured = false): Promise<boolean> {
  handlesWork = await (plainTest ??= delivers(plainPair))
  if (secured) recordsWork = await (securedTest ??= delivers(securedPair))
  return handlesWork
}

function rewrap(accepted: net.Socket, target: ReadTarget): net.Socket {
  const holder = accepted as unknown as WithHandle
  const handle = holder._handle
  if (handle === null) return accepted // it has gone in the meantime
  holder._handle = null
  const socket = new net.Socket({ handle, onread: reading(target), pauseOnCreate: true } as unknown as net.SocketConstructorOpts)
  accepted.destroy()
  byOnread.add(socket)
  socket.setNoDelay(true)
  socket.setKeepAlive(true, 30_000)
  return socket
}

/** The buffer of a socket's `onread`, its callback, and what gives the next buffer: the same for all sockets. */
let places: readonly (symbol | undefined)[] | null = null

/** Node gives `onread` to sockets that connect only; but it keeps what it needs for that in every socket, under symbols of its own. */
function readInto(socket: net.Socket, target: ReadTarget): boolean {
  const handle = (socket as unknown as WithHandle)._handle
  places ??= ['kBuffer', 'kBufferCb', 'kBufferGen'].map(name =>
    Object.getOwnPropertySymbols(socket).find(({ description }) => description === name),
  )
  const [buffer, callback, next] = places
  if (typeof handle?.useUserBuffer !== 'function' || buffer === undefined || callback === undefined || next === undefined) return false
  const { buffer: nextBuffer, callback: filled } = reading(target)
  const first = nextBuffer()
  Object.assign(socket, { [buffer]: first, [callback]: filled, [next]: nextBuffer })
  handle.useUserBuffer(first)
  byOnread.add(socket)
  return true
}

function reading(target: ReadTarget): { buffer: () => Uint8Array; callback: (count: number) => boolean } {
  return {
    buffer: () => target.target(),
    callback: count => {
      target.filled(count)
      return true
    },
  }
}

/** What has not come by then does not work: long, since machines are busy when programs start. */
const SELF_TEST_MS = 5_000
const WANT = Buffer.from('topicgate')

/** Opens a connection to itself: calls `served` with the accepted end, and sends `WANT` into the other. */
type Pair = (probe: ReadTarget, served: (socket: net.Socket) => void, failed: () => void) => { close(): void }

function delivers(pair: Pair): Promise<boolean> {
  return new Promise(resolve => {
    const memory = Buffer.alloc(64)
    let got = 0
    let served: net.Socket | null = null
    const finish = (works: boolean) => {
      clearTimeout(timer)
      served?.destroy()
      ends.close()
      resolve(works)
    }
    const timer = setTimeout(finish, SELF_TEST_MS, false)
    const probe: ReadTarget = {
      target: () => memory.subarray(got),
      filled(count) {
        got += count
        if (got >= WANT.length) finish(memory.subarray(0, got).equals(WANT))
      },
      took() {},
    }
    const serve = (socket: net.Socket) => {
      served = socket.on('error', () => finish(false))
      served.resume()
    }
    const ends = pair(probe, serve, () => finish(false))
  })
}

const plainPair: Pair = (probe, served, failed) => {
  let client: net.Socket | null = null
  const server = net.createServer({ pauseOnConnect: true, noDelay: true }, accepted => {
    try {
      served(rewrap(accepted, probe))
    } catch {
      failed()
    }
  })
  server.on('error', failed)
  server.listen(0, '127.0.0.1', () => {
    client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1', () => client!.write(WANT))
    client.on('error', failed)
  })
  return {
    close() {
      client?.destroy()
      server.close()
    },
  }
}

/** With a key that both ends know there is no need of a certificate. */
const securedPair: Pair = (probe, served, failed) => {
  const key = { ciphers: 'PSK', maxVersion: 'TLSv1.2' } as const
  let client: tls.TLSSocket | null = null
  const server = tls.createServer({ ...key, pskCallback: () => WANT }, accepted => {
    if (readInto(accepted, probe)) served(accepted)
    else failed()
  })
  server.on('error', failed).on('tlsClientError', failed)
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as net.AddressInfo
    const options = { ...key, port, host: '127.0.0.1', checkServerIdentity: () => undefined }
    client = tls.connect({ ...options, pskCallback: () => ({ psk: WANT, identity: 'probe' }) }, () => client!.write(WANT))
    client.on('error', failed)
  })
  return {
    close() {
      client?.destroy()
      server.close()
    },
  }
}
