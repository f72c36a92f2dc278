// `topicgate healthcheck`: asks a running gate whether it is ready; for container images without curl.

import type { Command } from 'commander'
import { Exit, ExitError } from './exit.ts'

export function register(program: Command): void {
  program
    .command('healthcheck')
    .description('ask a running gate whether it is ready')
    .option('--url <url>', 'address of its health server', 'http://127.0.0.1:9991')
    .option('--timeout <ms>', 'how long to wait for the answer', '3000')
    .option('--json', 'print what /readyz says')
    .action(async ({ url, timeout, json }: { url: string; timeout: string; json?: boolean }) => {
      const { ready, body } = await ask(new URL('/readyz', url), Number(timeout))
      if (json) process.stdout.write(`${body.trim()}\n`)
      if (!ready) throw new ExitError(Exit.unexpected, json ? '' : `not ready: ${body.trim()}`)
    })
}

async function ask(url: URL, timeoutMs: number): Promise<{ ready: boolean; body: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) })
    return { ready: response.ok, body: await response.text() }
  } catch (why) {
    throw new ExitError(Exit.unexpected, `no answer from ${url}: ${(why as Error).message}`)
  }
}
