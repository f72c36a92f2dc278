// The shape of a policy file: which keys may stand where, and the form of their values; what they mean is read in policy-file.ts.

import { z } from 'zod'
import { OPERATION_NAMES, VERB_NAMES } from './operations.ts'

const list = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1)])
const text = z.string().min(1)
const yes = z.literal(true)

const Id = z.string().regex(/^[a-z0-9-]{1,63}$/, 'is not an id | 1 to 63 of a-z, 0-9 and -')
const Time = z
  .string()
  .regex(
    /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)$/,
    'is not a time with an offset | write it as 2026-12-01T00:00:00+01:00, or with Z',
  )

const SubjectMap = z.strictObject({
  user: text.optional(),
  person: text.optional(),
  service: text.optional(),
  group: text.optional(),
  role: text.optional(),
  client: text.optional(),
  org: text.optional(),
  anyone: yes.optional(),
  issuer: text.optional(),
})
const Subject = z.union([text, SubjectMap])

const PatternMap = z.strictObject({ literal: text.optional(), prefix: text.optional() })
const Patterns = list(z.union([text, PatternMap]))
const kinds = {
  topics: Patterns.optional(),
  consumerGroups: Patterns.optional(),
  transactionalIds: Patterns.optional(),
  cluster: yes.optional(),
}

const Window = z.strictObject({
  days: list(text).optional(),
  between: text,
  zone: text,
})
const places = {
  from: list(text).optional(),
  hours: list(Window).optional(),
}

const Value = z.union([z.string(), z.number(), z.boolean()])
const Condition = z.strictObject({
  acting: list(z.enum(['impersonation', 'delegation'])).optional(),
  claims: z.record(text, list(Value)).optional(),
  ...places,
  expression: text.optional(),
})

const Grant = z.strictObject({
  id: Id,
  to: list(Subject),
  allow: list(z.enum([...VERB_NAMES, ...OPERATION_NAMES])),
  ...kinds,
  since: Time.optional(),
  until: Time.optional(),
  ...places,
  why: text.optional(),
  owner: text.optional(),
})

const FilePath = z
  .string()
  .regex(
    /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*(\/\*\*?)?$/,
    'is no path | as teams/payments/* or teams/search.yaml',
  )
const Share = z.strictObject({ everything: yes.optional(), ...kinds })

const Rule = z.strictObject({
  id: Id,
  deny: list(z.enum(['all', 'change', ...OPERATION_NAMES])),
  everything: yes.optional(),
  ...kinds,
  for: list(Subject).optional(),
  except: list(Subject).optional(),
  when: Condition.optional(),
  unless: Condition.optional(),
  shadow: z.strictObject({ until: Time }).optional(),
  why: text.optional(),
})

const Shadow = z.strictObject({ everything: yes.optional(), ...kinds, until: Time, listeners: list(text).optional() })

const As = z.strictObject({
  user: text.optional(),
  person: text.optional(),
  service: text.optional(),
  issuer: text.optional(),
  groups: z.array(text).optional(),
  roles: z.array(text).optional(),
  clientRoles: z.record(text, z.array(text)).optional(),
  organizations: z.record(text, z.array(text)).optional(),
  claims: z.record(text, z.unknown()).optional(),
  acting: z.enum(['impersonation', 'delegation']).optional(),
})

const Test = z.strictObject({
  name: text.optional(),
  as: As,
  at: Time.optional(),
  address: text.optional(),
  can: list(text).optional(),
  cannot: list(text).optional(),
})

export const PolicySchema = z.strictObject({
  version: z.literal(1),
  issuer: text.optional(),
  people: z.record(z.string().regex(/^[A-Za-z0-9._@+-]{1,255}$/, 'letters, digits and . _ @ + -'), text).optional(),
  networks: z.record(z.string().regex(/^[A-Za-z0-9_-]{1,63}$/, 'letters, digits, _ and -'), list(text)).optional(),
  shadow: z.array(Shadow).optional(),
  grants: z.array(Grant).optional(),
  rules: z.array(Rule).optional(),
  tests: z.array(Test).optional(),
  delegate: z.record(FilePath, Share).optional(),
  require: list(z.enum(['until', 'why', 'owner'])).optional(),
})

export type PolicyText = z.infer<typeof PolicySchema>
export type GrantText = z.infer<typeof Grant>
export type RuleText = z.infer<typeof Rule>
export type ShadowText = z.infer<typeof Shadow>
export type TestText = z.infer<typeof Test>
export type SubjectText = z.infer<typeof Subject>
export type PatternText = z.infer<typeof PatternMap> | string
export type ConditionText = z.infer<typeof Condition>
export type WindowText = z.infer<typeof Window>
