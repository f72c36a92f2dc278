// Peeks at the first record batch of a partition: is it transactional? Never at a record.

import { i32 } from './wire.ts'

const SIZE_AT = 8
const SIZE_END = 12
const MAGIC_AT = 16
const ATTRIBUTES_LOW_AT = 22
const MIN_BATCH_BYTES = 14
const TRANSACTIONAL = 0x10

/**
 * Whether Kafka takes these records for transactional: the first batch is whole, of magic 2, and has the bit
 * (RequestUtils.hasTransactionalRecords, ByteBufferLogInputStream.nextBatch). Older and broken batches have no bit: brokers refuse the
 * broken ones.
 */
export function isTransactional(b: Uint8Array, start: number, end: number): boolean {
  if (start < 0 || end - start < ATTRIBUTES_LOW_AT + 1) return false
  const size = i32(b, start + SIZE_AT)
  if (size < MIN_BATCH_BYTES || size > end - start - SIZE_END) return false
  return b[start + MAGIC_AT] === 2 && (b[start + ATTRIBUTES_LOW_AT]! & TRANSACTIONAL) !== 0
}
