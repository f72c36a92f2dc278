// What the kernel says of a process: CPU time, memory; and which CPU it may use.

import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus, release } from 'node:os'

/** Proxies run on the last CPU, whoever talks to them on the first. */
export const PROXY_CPU = availableParallelism() - 1
export const PEER_CPU = 0

/** A command that stays on one CPU. */
export const pinned = (cpu: number, command: string, args: readonly string[]): [string, string[]] => [
  'taskset',
  ['-c', String(cpu), command, ...args],
]

/** Nanoseconds that all threads of a process have run, and that they have waited for the CPU while others ran. */
export function cpuOf(pid: number): { readonly runNs: number; readonly waitNs: number } {
  let runNs = 0
  let waitNs = 0
  for (const process of family(pid)) {
    for (const thread of readdirSync(`/proc/${process}/task`)) {
      const [run, wait] = readFileSync(`/proc/${process}/task/${thread}/schedstat`, 'utf8').split(' ')
      runNs += Number(run)
      waitNs += Number(wait)
    }
  }
  return { runNs, waitNs }
}

/** KiB of memory that a process has in RAM. */
export function residentKib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])
}

export function describeMachine(): string {
  const congestion = readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim()
  return `${cpus().length} × ${cpus()[0]!.model.trim()}, Linux ${release()}, ${congestion}, Node ${process.version}`
}

/** A process and its children. */
function family(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return [pid, ...(children === '' ? [] : children.split(' ').flatMap(child => family(Number(child))))]
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >>> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
