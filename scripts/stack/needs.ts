// The programs that must be on the machine: all that are missing are named at once.

import { spawnSync } from 'node:child_process'

interface Need {
  readonly what: string
  readonly command: readonly string[]
  /** Says whether the output of the command is good enough. */
  readonly enough?: (output: string) => boolean
}

const needs = {
  java: {
    what: 'Java 17 or newer (java)',
    command: ['java', '-version'],
    enough: output => Number(/version "(\d+)/.exec(output)?.[1]) >= 17,
  },
  javac: { what: 'a Java development kit, not only a runtime (javac)', command: ['javac', '-version'] },
  maven: { what: 'Maven (mvn)', command: ['mvn', '-version'] },
  go: { what: 'Go 1.21 or newer (go)', command: ['go', 'version'], enough: output => Number(/go1\.(\d+)/.exec(output)?.[1]) >= 21 },
  python: {
    what: 'Python 3.9 or newer with venv (python3)',
    command: ['python3', '-c', 'import sys, venv, ensurepip; print(sys.version_info >= (3, 9))'],
    enough: output => output.includes('True'),
  },
} satisfies Record<string, Need>

export type NeedName = keyof typeof needs

/** Returns if all of these are there; otherwise says which are missing and ends the process with 1. */
export function need(...names: NeedName[]): void {
  const missing = names.map(name => needs[name] as Need).filter(one => !isThere(one))
  if (missing.length === 0) return
  process.stderr.write(`missing on this machine:\n${missing.map(({ what }) => `  - ${what}\n`).join('')}`)
  process.exit(1)
}

function isThere({ command, enough }: Need): boolean {
  const { status, stdout, stderr } = spawnSync(command[0], command.slice(1), { encoding: 'utf8' })
  return status === 0 && (enough?.(stdout + stderr) ?? true)
}
