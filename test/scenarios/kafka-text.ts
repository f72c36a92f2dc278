// Messages as scenarios write them: Kafka's field names, errors and operations by name, topic ids by topic, defaults left out.

import { namesOf, OPERATIONS, type OperationName } from '../../src/policy/operations.ts'
import { defaultOf } from '../../src/protocol/encode.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import type { Layout, Slot } from '../../src/protocol/schema.ts'
import { recordBatch } from '../fakes/record-batch.ts'

/** What stands in a text for something that is another number in each cluster. */
export interface Naming {
  /** 32 hex digits. */
  idOf(text: string): string
  /** `id of orders`. */
  textOfId(hex: string): string
  /** What a client was last told, for `<memberId>`. */
  told(field: string): unknown
  /** A value as every cluster would have it. */
  common(field: string, value: unknown): unknown
}

const ERROR_NAME = new Map<number, string>(Object.entries(ErrorCode).map(([name, code]) => [code, name]))
const isError = ({ name, type }: Slot): boolean => type === 'int16' && /errorCode$/i.test(name)
const isOperations = ({ name, type }: Slot): boolean => type === 'int32' && /authorizedOperations$/i.test(name)
const isBytes = ({ type }: Slot): boolean => type === 'bytes' || type === 'records'

/** The value that a codec writes. @throws {TypeError} a field that this version has not */
export function fromText(layout: Layout, text: any, naming: Naming): any {
  const value: any = {}
  for (const [field, said] of Object.entries(text ?? {})) {
    const slot = layout.slots.find(s => s.name === field)
    if (slot === undefined) throw new TypeError(`this version has no field ${field}`)
    value[field] = slotValue(slot, said, naming)
  }
  return value
}

function slotValue(slot: Slot, said: any, naming: Naming): any {
  if (said === null) return null
  const reference = typeof said === 'string' ? /^<(\w+)>$/.exec(said) : null
  if (reference !== null) return naming.told(reference[1]!)
  if (slot.of !== null) {
    const of = slot.of
    const one = (item: any) => ('slots' in of ? fromText(of, item, naming) : slotValue(of, item, naming))
    return Array.isArray(said) ? said.map(one) : one(said)
  }
  if (isError(slot)) return codeOf(said)
  if (isOperations(slot)) return (said as OperationName[]).reduce((set, name) => set | (1 << OPERATIONS[name]), 0)
  if (slot.type === 'int64') return BigInt(said)
  if (slot.type === 'uuid') return naming.idOf(said)
  return isBytes(slot) ? bytesOf(String(said).replace(/<(\w+)>/, (_, field) => String(naming.told(field)))) : said
}

/** Of what Kafka has no name for, the number. */
function codeOf(said: string | number): number {
  const code = ErrorCode[said as keyof typeof ErrorCode] ?? said
  if (typeof code !== 'number') throw new TypeError(`no error is called ${said}`)
  return code
}

/** Said even where they are 0. */
const PARTITION = /^(partition|partitionIndex|index)$/

/** The text of a value; what is Kafka's default is left out, but for errors, partitions and lists at the top. */
export function toText(layout: Layout, value: any, naming: Naming, top = true): any {
  const text: any = {}
  for (const slot of layout.slots) {
    const said = value[slot.name]
    if (said === undefined || slot.name === 'throttleTimeMs') continue
    const spoken = isError(slot) || PARTITION.test(slot.name) || (top && slot.type === 'list')
    if (!spoken && isDefault(slot, said)) continue
    text[slot.name] = slotText(slot, said, naming)
  }
  return text
}

function slotText(slot: Slot, value: any, naming: Naming): any {
  if (value === null) return null
  const of = slot.of
  if (of !== null) {
    const one = (item: any) => ('slots' in of ? toText(of, item, naming, false) : slotText({ ...of, name: slot.name }, item, naming))
    return Array.isArray(value) ? value.map(one) : one(value)
  }
  if (isError(slot)) return ERROR_NAME.get(value) ?? value
  if (isOperations(slot)) return namesOf(value)
  if (isBytes(slot)) return textOfBytes(value, naming)
  if (slot.type === 'uuid') return naming.textOfId(value)
  const common = naming.common(slot.name, value)
  if (typeof common !== 'bigint') return common
  return Number.isSafeInteger(Number(common)) ? Number(common) : String(common)
}

function isDefault(slot: Slot, value: any): boolean {
  const absent = defaultOf(slot)
  if (value === null || absent === null) return value === absent
  if (slot.type === 'list' || isBytes(slot)) return value.length === 0
  return slot.type !== 'struct' && value === absent
}

/** `batch(one, two)`, `transactional batch(one) of 4000`, hexadecimal, or plain text. */
function bytesOf(text: string): Buffer {
  const batch = /^(transactional )?batch\((.*?)\)(?: of (\d+))?$/.exec(text)
  if (batch !== null) return batchOf(batch[2]!, batch[1] !== undefined, Number(batch[3] ?? -1))
  const hex = /^0x([0-9a-f]*)$/.exec(text)
  return hex === null ? Buffer.from(text) : Buffer.from(hex[1]!, 'hex')
}

const batchOf = (values: string, transactional: boolean, producerId: number): Buffer =>
  recordBatch(
    values.split(', '),
    producerId < 0 ? { transactional } : { transactional, producerId: BigInt(producerId), producerEpoch: 0, baseSequence: 0 },
  )

/** Length, leader epoch and offset of a batch are the broker's: what is compared begins behind its checksum. */
const BATCH_HEAD_BYTES = 21

function textOfBytes(bytes: Buffer, naming: Naming): string {
  const batch = textOfBatch(bytes, naming)
  if (batch !== null) return batch
  const text = bytes.toString()
  return /^[\x20-\x7e]*$/.test(text) && !text.startsWith('0x') && bytes.equals(Buffer.from(text)) ? text : `0x${bytes.toString('hex')}`
}

function textOfBatch(bytes: Buffer, naming: Naming): string | null {
  if (bytes.length < 61 || bytes[16] !== 2) return null
  const transactional = (bytes.readInt16BE(21) & 16) !== 0
  const producerId = Number(bytes.readBigInt64BE(43))
  const values: string[] = []
  for (let p = 61; p < bytes.length; ) {
    // A record of these batches: length, attributes, two deltas and no key in a byte each, then its value.
    const sizeBytes = bytes[p]! >> 1
    values.push(bytes.toString('utf8', p + 6, p + sizeBytes))
    p += 1 + sizeBytes
  }
  const text = values.join(', ')
  const same = batchOf(text, transactional, producerId).subarray(BATCH_HEAD_BYTES).equals(bytes.subarray(BATCH_HEAD_BYTES))
  if (!same) return null
  return `${transactional ? 'transactional ' : ''}batch(${text})${producerId < 0 ? '' : ` of ${naming.common('producerId', BigInt(producerId))}`}`
}
