// The parts that grants, rules and tests of a policy file are made of: subjects, patterns, conditions, each with a place for its complaints.

import type { Path } from '../base/errors.ts'
import { meant } from '../base/errors.ts'
import type { YamlFile } from '../base/yaml.ts'
import { WrongAt } from './expression-check.ts'
import { Expression } from './expressions.ts'
import type { KindKey } from './operations.ts'
import { KIND_KEYS } from './operations.ts'
import type { Condition, Hours, Pattern, Place, Subject } from './policy-document.ts'
import type { PolicyContext } from './policy-file.ts'
import type { ConditionText, GrantText, PolicyText, SubjectText, WindowText } from './policy-schema.ts'
import type { Shared } from './policy-shared.ts'
import { readBlock, readHours, readPattern, readSubject, readTime, Wrong, wholeKind } from './policy-words.ts'

type Kinds = Partial<Pick<GrantText, KindKey>>

export class PartReader {
  /** Whose names the file's principals are. */
  readonly issuer: string
  readonly #yaml: YamlFile
  readonly #text: PolicyText
  readonly #shared: Shared
  readonly #context: PolicyContext

  constructor(yaml: YamlFile, text: PolicyText, shared: Shared, context: PolicyContext) {
    this.#yaml = yaml
    this.#text = text
    this.#shared = shared
    this.#context = context
    this.issuer = this.#readIssuer()
    this.#readPeople()
    this.#readNetworks()
  }

  subjects(texts: SubjectText | readonly SubjectText[], path: Path): Subject[] {
    const isList = Array.isArray(texts)
    return [texts].flat().flatMap((text, i) => this.subject(text as SubjectText, isList ? [...path, i] : path) ?? [])
  }

  subject(text: SubjectText, path: Path): Subject | null {
    const subject = this.right(readSubject(text, this.issuer), path, null)
    if (subject === null) return null
    const { issuers } = this.#context
    const issuer = issuers?.find(({ alias }) => alias === subject.issuer)
    if (issuers !== null && issuer === undefined && subject.issuer !== this.issuer) {
      return this.complain(
        path,
        `no issuer has the alias ${subject.issuer}`,
        meant(
          subject.issuer,
          issuers.map(({ alias }) => alias),
        ),
      )
    }
    if (subject.kind === 'person') {
      const person = this.#shared.people.get(subject.name)
      if (person === undefined || this.#isForeign(person.place))
        return this.complain(path, `person ${subject.name} is not in people`, meant(subject.name, [...this.#shared.people.keys()]))
      return { kind: 'user', issuer: person.issuer, name: person.sub }
    }
    if (subject.kind === 'orgRole' && issuer !== undefined && !issuer.organizationRoles.includes(subject.name)) {
      const hint =
        issuer.organizationRoles.length === 0
          ? 'organizations.roles of the issuer says where roles come from'
          : meant(subject.name, issuer.organizationRoles)
      return this.complain(path, `the issuer ${issuer.alias} maps no role ${subject.name} in organizations`, hint)
    }
    return subject
  }

  /** The kinds that are named; one at least must be. */
  kindsOf(text: Kinds & { readonly everything?: true | undefined }, path: Path): KindKey[] {
    const named = KIND_KEYS.filter(kind => text[kind] !== undefined)
    if (text.everything) {
      if (named.length > 0) this.complain([...path, named[0]!], 'is part of everything already', 'leave one of them out')
      return KIND_KEYS
    }
    if (named.length === 0) {
      const everything = path[0] === 'grants' ? '' : ', or everything: true'
      this.complain(path, 'names no resource', `add topics, consumerGroups, transactionalIds or cluster: true${everything}`)
    }
    return named
  }

  patterns(text: Kinds, kind: KindKey, path: Path): Pattern[] {
    const texts = text[kind]
    if (texts === undefined) return []
    if (texts === true) return [wholeKind(kind, 0)]
    const isList = Array.isArray(texts)
    return [texts]
      .flat()
      .flatMap((pattern, i) => this.right(readPattern(pattern, kind), isList ? [...path, kind, i] : [...path, kind], null) ?? [])
  }

  condition(text: ConditionText | undefined, path: Path): Condition | null {
    if (text === undefined) return null
    if (Object.keys(text).length === 0) this.complain(path, 'says nothing', 'add acting, claims, from, hours or expression')
    const claims = Object.entries(text.claims ?? {}).map(([name, values]) => [name, [values].flat().map(String)] as const)
    return {
      acting: text.acting === undefined ? null : [text.acting].flat(),
      claims: text.claims === undefined ? null : Object.fromEntries(claims),
      networks: this.from(text.from, [...path, 'from']),
      hours: this.hours(text.hours, [...path, 'hours']),
      expression: text.expression === undefined ? null : this.#expression(text.expression, [...path, 'expression']),
    }
  }

  #expression(text: string, path: Path): string {
    try {
      if (new Expression(text).reads.address) this.#shared.readsAddress = true
    } catch (error) {
      if (!(error instanceof WrongAt)) throw error
      this.#yaml.complainWithin(path, text, error.offset, error.problem, error.hint)
    }
    return text
  }

  from(names: string | readonly string[] | undefined, path: Path): string[] | null {
    if (names === undefined) return null
    this.#shared.readsAddress = true
    const isList = Array.isArray(names)
    return [names].flat().flatMap((name, i) => {
      const known = this.#shared.networks.get(name)
      if (known !== undefined && !this.#isForeign(known.place)) return known.blocks
      const at = isList ? [...path, i] : path
      if (/[./:]/.test(name)) return this.right(readBlock(name), at, '') || []
      return this.complain(at, `network ${name} is not in networks`, meant(name, [...this.#shared.networks.keys()])) ?? []
    })
  }

  /** null: all of them. */
  listeners(names: string | readonly string[] | undefined, path: Path): string[] | null {
    if (names === undefined) return null
    const known = this.#context.listeners
    return [names].flat().map((name, i) => {
      if (known?.includes(name) === false)
        this.complain(Array.isArray(names) ? [...path, i] : path, `no listener has the name ${name}`, meant(name, known))
      return name
    })
  }

  hours(windows: WindowText | readonly WindowText[] | undefined, path: Path): Hours[] | null {
    if (windows === undefined) return null
    const isList = Array.isArray(windows)
    return [windows as WindowText[]].flat().flatMap((window, i) => this.right(readHours(window), isList ? [...path, i] : path, null) ?? [])
  }

  time(text: string | undefined, path: Path): number | null {
    return text === undefined ? null : this.right(readTime(text), path, null)
  }

  #readIssuer(): string {
    const stated = this.#text.issuer
    const issuers = this.#context.issuers?.map(({ alias }) => alias)
    if (typeof stated === 'string') {
      if (issuers !== undefined && !issuers.includes(stated))
        this.complain(['issuer'], `no issuer has the alias ${stated}`, meant(stated, issuers))
      return stated
    }
    if (issuers !== undefined && issuers.length > 1)
      this.complain(['issuer'], 'is missing, and there are several issuers', `one of ${issuers.join(', ')}`)
    return issuers?.[0] ?? 'main'
  }

  #readPeople(): void {
    if (!this.#yaml.isClean(['people'])) return
    for (const [name, sub] of Object.entries(this.#text.people ?? {})) {
      const path = ['people', name]
      const known = this.#shared.people.get(name)
      if (known !== undefined) this.complain(path, `is already named at ${known.place.file}:${known.place.line}`)
      else this.#shared.people.set(name, { issuer: this.issuer, sub, place: this.place(path) })
    }
  }

  #readNetworks(): void {
    if (!this.#yaml.isClean(['networks'])) return
    for (const [name, texts] of Object.entries(this.#text.networks ?? {})) {
      const path = ['networks', name]
      const known = this.#shared.networks.get(name)
      if (known !== undefined) this.complain(path, `is already named at ${known.place.file}:${known.place.line}`)
      const blocks = [texts].flat().map((text, i) => this.right(readBlock(text), Array.isArray(texts) ? [...path, i] : path, ''))
      if (known === undefined) this.#shared.networks.set(name, { blocks, place: this.place(path) })
    }
  }

  /** A file to which something is delegated names people and networks for itself alone. */
  #isForeign({ file }: Place): boolean {
    return this.#shared.delegates && file !== this.#yaml.file && this.#shared.delegated.has(file)
  }

  right<T, E>(value: T | Wrong, path: Path, otherwise: E): T | E {
    if (!(value instanceof Wrong)) return value
    this.complain(path, value.problem, value.hint)
    return otherwise
  }

  complain(path: Path, problem: string, hint: string | null = null): null {
    this.#yaml.complain(path, problem, hint)
    return null
  }

  place(path: Path): Place {
    return { file: this.#yaml.file, ...this.#yaml.where(path) }
  }
}
