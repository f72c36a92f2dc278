// Which names a topic can have: org.apache.kafka.common.internals.Topic.

const MAX_LENGTH = 249
const LEGAL = /^[a-zA-Z0-9._-]*$/

/** What Kafka says of a name that no topic can have; null: one could. */
export function whyInvalid(name: string): string | null {
  const why = reasonOf(name)
  return why === null ? null : `Topic name is invalid: ${why}`
}

function reasonOf(name: string): string | null {
  if (name === '') return 'the empty string is not allowed'
  if (name === '.' || name === '..') return `'${name}' is not allowed`
  if (name.length > MAX_LENGTH) return `the length of '${name}' is longer than the max allowed length ${MAX_LENGTH}`
  if (!LEGAL.test(name)) return `'${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`
  return null
}
