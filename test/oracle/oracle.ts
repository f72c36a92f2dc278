// Asks Kafka's own Java classes: many questions at a time, one process a batch.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { kafkaLibs } from '../../scripts/stack/jars.ts'
import { exactJson } from '../protocol/golden.ts'

/** One answer a question, in order; Oracle.java says which questions there are. */
export async function ask(questions: readonly string[]): Promise<string[]> {
  const libs = await kafkaLibs()
  const program = fileURLToPath(new URL('Oracle.java', import.meta.url))
  const java = spawn('java', ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', join(libs, '*'), program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const pieces: Buffer[] = []
  java.stdout.on('data', piece => pieces.push(piece))
  java.stdin.end(`${questions.join('\n')}\n`)
  const code = await new Promise((resolve, reject) => java.on('error', reject).on('close', resolve))
  const answers = Buffer.concat(pieces).toString().trimEnd().split('\n')
  if (code !== 0 || answers.length !== questions.length)
    throw new Error(`the oracle gave ${answers.length} answers to ${questions.length}, exit ${code}`)
  return answers
}

export interface Read {
  /** The message as Java writes it again. */
  readonly bytes: Buffer
  readonly json: any
}

/** What Java reads from a message: null when it refuses. */
export function readAnswer(answer: string): Read | null {
  if (answer.startsWith('! ')) return null
  const space = answer.indexOf(' ')
  return { bytes: Buffer.from(answer.slice(0, space), 'hex'), json: exactJson(answer.slice(space + 1)) }
}
