// Text from strangers on its way into lines that people and programs read: bounded, and free of control characters.

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** At most `max` characters; control characters and those that turn the direction of writing become U+FFFD. */
export function clip(text: string, max = 256): string {
  const short = text.length > max ? `${text.slice(0, max - 1)}…` : text
  return short.replace(CONTROL, '\ufffd')
}

/** When a stranger's certificate says that it is good: he may have written anything there. */
export const validText = (from: Date, to: Date): string => `valid from ${dateText(from)} to ${dateText(to)}`

const dateText = (date: Date): string => (Number.isNaN(date.getTime()) ? 'no date' : date.toISOString())
