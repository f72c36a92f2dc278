// How commands end: exit codes are a contract, the same for every verb.

export const Exit = { ok: 0, unexpected: 1, usage: 2, invalid: 3, testsFailed: 4 } as const
export type Exit = (typeof Exit)[keyof typeof Exit]

/** Ends a command with a code of its own; the message, if any, goes to stderr as it is. */
export class ExitError extends Error {
  readonly exit: Exit
  constructor(exit: Exit, message = '') {
    super(message)
    this.name = 'ExitError'
    this.exit = exit
  }
}
