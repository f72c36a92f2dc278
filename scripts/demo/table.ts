// How the demo is printed: one line a step, as it happens, in columns that a person takes in at a glance.

export interface Row {
  readonly who: string
  readonly does: string
  readonly expected: 'allowed' | 'refused'
  /** `allowed`, `refused`, or what else came of it. */
  readonly actual: string
  /** What proves it: an offset, a Kafka error, a decision id. */
  readonly proof: string
}

const WIDTHS = { who: 10, does: 46, outcome: 9 }
const colour = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)

export const say = (text: string): void => void process.stdout.write(`${text}\n`)

export function headline(title: string): void {
  say(`\n${paint(1, title)}`)
}

/** @returns whether the row came out as expected */
export function line({ who, does, expected, actual, proof }: Row): boolean {
  const good = expected === actual
  const outcome = paint(actual === 'allowed' ? 32 : actual === 'refused' ? 33 : 31, actual.padEnd(WIDTHS.outcome))
  const mark = good ? paint(32, '✓') : paint(31, '✗')
  say(`  ${mark} ${who.padEnd(WIDTHS.who)}${does.padEnd(WIDTHS.does)}${outcome} ${proof}${good ? '' : `   (expected: ${expected})`}`)
  return good
}
