// How much TLS encrypts at a time: Node keeps the memory of the largest piece for as long as a connection lives, so pieces have a budget.

import type { Socket } from 'node:net'
import { keepLess, keepMore } from './buffers.ts'

interface Chunk {
  chunk: Buffer
  encoding: BufferEncoding
}
type Done = (error?: Error | null) => void

/** A record of TLS: so much any connection may encrypt at once. RFC 8446 §5.1. */
const RECORD_BYTES = 16 * 1024

/** Lets a socket of TLS write in pieces, the next one when the one before has left: pieces are as large as the budget allows. */
export function inPieces(socket: Socket): void {
  const write = socket._write.bind(socket)
  const writev = socket._writev!.bind(socket)
  let mostBytes = RECORD_BYTES

  const fits = (bytes: number): boolean => {
    if (bytes > mostBytes) mostBytes += keepMore(bytes, mostBytes)
    return bytes <= mostBytes
  }
  const writeAll = (chunks: Chunk[], done: Done): void => {
    const piece = takeFrom(chunks, mostBytes)
    const next: Done = error => {
      if (error || chunks.length === 0) done(error)
      else writeAll(chunks, done)
    }
    if (piece.length === 1) write(piece[0]!.chunk, piece[0]!.encoding, next)
    else writev(piece, next)
  }

  socket._write = (chunk: Buffer, encoding, done) => {
    if (fits(chunk.length)) write(chunk, encoding, done)
    else writeAll([{ chunk, encoding }], done)
  }
  socket._writev = (chunks: Chunk[], done) => {
    const wantedBytes = chunks.reduce((sum, { chunk }) => sum + chunk.length, 0)
    if (fits(wantedBytes)) writev(chunks, done)
    else writeAll([...chunks], done)
  }
  socket.once('close', () => keepLess(mostBytes - RECORD_BYTES))
}

/** Takes so many bytes off the front. */
function takeFrom(chunks: Chunk[], bytes: number): Chunk[] {
  const taken: Chunk[] = []
  let left = bytes
  while (left > 0 && chunks.length > 0) {
    const { chunk, encoding } = chunks[0]!
    if (chunk.length > left) {
      taken.push({ chunk: chunk.subarray(0, left), encoding })
      chunks[0] = { chunk: chunk.subarray(left), encoding }
      break
    }
    taken.push(chunks.shift()!)
    left -= chunk.length
  }
  return taken
}
