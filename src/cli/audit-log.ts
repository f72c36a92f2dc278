// An audit log, line by line: what is no audit line is passed over, so that a log file with other lines in it will do.

import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { AuditLine } from '../base/audit.ts'
import { Exit, ExitError } from './exit.ts'

/** @param file `-` for stdin */
export async function* readAudit(file: string): AsyncGenerator<AuditLine> {
  const input = file === '-' ? process.stdin : createReadStream(file)
  try {
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      const line = parse(text)
      if (line !== null) yield line
    }
  } catch (why) {
    const { code } = why as NodeJS.ErrnoException
    if (code === undefined) throw why
    throw new ExitError(Exit.usage, `${file} cannot be read: ${code}`)
  }
}

function parse(text: string): AuditLine | null {
  if (!text.startsWith('{')) return null
  try {
    const line = JSON.parse(text) as Partial<AuditLine>
    return typeof line.id === 'string' && typeof line.verdict === 'string' && typeof line.time === 'string' ? (line as AuditLine) : null
  } catch {
    return null
  }
}
