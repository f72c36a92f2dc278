// Messages broken in the ways that parsers get wrong.

import type { Random } from './random.ts'

const TELLING = [0, 1, 2, 3, 127, 128, 129, 254, 255]

/** A changed copy: bytes set, put in, cut out, doubled, or the end cut off. */
export function mutated(message: Buffer, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(message)
  for (let times = random(3) === 0 ? 2 : 1; times > 0; times--) bytes = once(bytes, random)
  return bytes
}

function once(bytes: Buffer, random: Random): Buffer {
  const at = random(bytes.length + 1)
  const span = Math.min(1 + random(4), bytes.length - at)
  const telling = Buffer.from([TELLING[random(TELLING.length)]!])
  switch (random(9)) {
    case 0:
      return bytes.subarray(0, at)
    case 1:
      return Buffer.concat([bytes.subarray(0, at), telling, bytes.subarray(at)])
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + span)])
    case 3:
      return Buffer.concat([bytes.subarray(0, at + span), bytes.subarray(at)])
    case 4: // a length of -1 or less, or a long varint
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(span, 255), bytes.subarray(at + span)])
    case 5: // a needlessly long varint
      if (at < bytes.length && bytes[at]! < 128)
        return Buffer.concat([bytes.subarray(0, at), Buffer.from([bytes[at]! | 128, 0]), bytes.subarray(at + 1)])
      return bytes
    case 6: // tags at the end
      return Buffer.concat([bytes.subarray(0, -1), Buffer.from([1, random(4), 1 + random(3)]), Buffer.alloc(1 + random(3))])
    default:
      if (at < bytes.length) bytes[at] = random(2) === 0 ? telling[0]! : random(256)
      return bytes
  }
}
