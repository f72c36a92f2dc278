// Reads files out of a jar: a zip's central directory, stored or deflated entries.

import { readFileSync } from 'node:fs'
import { inflateRawSync } from 'node:zlib'

const END_SIGNATURE = 0x06054b50
const ENTRY_SIGNATURE = 0x02014b50
const END_BYTES = 22
const STORED = 0
const DEFLATED = 8

/** The entries of a jar whose names `wanted` accepts, as text by name. */
export function jarTexts(path: string, wanted: (name: string) => boolean): Map<string, string> {
  const zip = readFileSync(path)
  let end = zip.length - END_BYTES
  while (end >= 0 && zip.readUInt32LE(end) !== END_SIGNATURE) end--
  if (end < 0) throw new Error(`${path} is not a jar`)
  const texts = new Map<string, string>()
  let at = zip.readUInt32LE(end + 16)
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    if (zip.readUInt32LE(at) !== ENTRY_SIGNATURE) throw new Error(`${path} has a broken directory`)
    const nameBytes = zip.readUInt16LE(at + 28)
    const name = zip.toString('utf8', at + 46, at + 46 + nameBytes)
    if (wanted(name)) texts.set(name, entry(zip, at).toString('utf8'))
    at += 46 + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  return texts
}

function entry(zip: Buffer, at: number): Buffer {
  const method = zip.readUInt16LE(at + 10)
  const local = zip.readUInt32LE(at + 42)
  const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
  const bytes = zip.subarray(start, start + zip.readUInt32LE(at + 20))
  if (method === STORED) return bytes
  if (method === DEFLATED) return inflateRawSync(bytes)
  throw new Error(`compression method ${method}`)
}
