// Record batches of magic 2 for tests, byte by byte: https://kafka.apache.org/documentation/#recordbatch

export interface BatchOptions {
  readonly transactional?: boolean
  readonly producerId?: bigint
  readonly producerEpoch?: number
  readonly baseSequence?: number
  /** Epoch ms of every record. */
  readonly timestampMs?: number
}

/** One uncompressed batch with a record for each value, without keys. */
export function recordBatch(values: readonly string[], options: BatchOptions = {}): Buffer {
  const records = values.map((value, delta) => record(Buffer.from(value), delta))
  const sizeBytes = 61 + records.reduce((sum, r) => sum + r.length, 0)
  const batch = Buffer.alloc(sizeBytes)
  const timestamp = BigInt(options.timestampMs ?? 1_700_000_000_000)
  batch.writeInt32BE(sizeBytes - 12, 8)
  batch.writeInt32BE(-1, 12)
  batch.writeInt8(2, 16)
  batch.writeInt16BE(options.transactional ? 16 : 0, 21)
  batch.writeInt32BE(values.length - 1, 23)
  batch.writeBigInt64BE(timestamp, 27)
  batch.writeBigInt64BE(timestamp, 35)
  batch.writeBigInt64BE(options.producerId ?? -1n, 43)
  batch.writeInt16BE(options.producerEpoch ?? -1, 51)
  batch.writeInt32BE(options.baseSequence ?? -1, 53)
  batch.writeInt32BE(values.length, 57)
  let at = 61
  for (const r of records) at += r.copy(batch, at)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

function record(value: Buffer, offsetDelta: number): Buffer {
  const body = Buffer.from([0, 0, ...zigzag(offsetDelta), ...zigzag(-1), ...zigzag(value.length), ...value, 0])
  return Buffer.from([...zigzag(body.length), ...body])
}

function zigzag(n: number): number[] {
  let v = ((n << 1) ^ (n >> 31)) >>> 0
  const bytes: number[] = []
  for (; v > 127; v >>>= 7) bytes.push((v & 127) | 128)
  return [...bytes, v]
}

const TABLE = Uint32Array.from({ length: 256 }, (_, i) => {
  let c = i
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1
  return c >>> 0
})

/** CRC-32C (Castagnoli). */
function crc32c(bytes: Buffer): number {
  let c = 0xffffffff
  for (const byte of bytes) c = TABLE[(c ^ byte) & 255]! ^ (c >>> 8)
  return (c ^ 0xffffffff) >>> 0
}
