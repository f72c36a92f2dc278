// Loaded before a gate whose clock is to be ahead: by as many ms as stand in the file that TOPICGATE_TEST_CLOCK names, read again and again.

import { readFileSync } from 'node:fs'

const file = process.env['TOPICGATE_TEST_CLOCK']!
const now = Date.now
let aheadMs = 0
const read = (): void => {
  aheadMs = Number(readFileSync(file, 'utf8')) || aheadMs
}
read()
setInterval(read, 10).unref()
Date.now = () => now() + aheadMs
