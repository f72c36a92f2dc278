// One policy file: from the text that has the right shape to what it means, with a place for every complaint.

import type { Path } from '../base/errors.ts'
import type { YamlFile } from '../base/yaml.ts'
import { isDelegated } from './delegation.ts'
import type { OperationName } from './operations.ts'
import { KINDS, OPERATIONS, SUPPORTED, VERBS } from './operations.ts'
import type { Cover, Grant, Place, PolicyTest, Rule, Shadow } from './policy-document.ts'
import type { PolicyContext } from './policy-file.ts'
import { PartReader } from './policy-parts.ts'
import type { GrantText, PolicyText, RuleText, ShadowText, TestText } from './policy-schema.ts'
import type { Shared } from './policy-shared.ts'
import { readQuestion } from './policy-tests.ts'
import { isVerb, readAllow, readBlock, readDeny, wholeKind } from './policy-words.ts'

export class PolicyReader {
  readonly yaml: YamlFile
  readonly text: PolicyText
  /** Its path below the policy folder. */
  readonly within: string
  readonly #shared: Shared
  readonly #read: PartReader
  readonly #paths = new Map<object, Path>()

  constructor(yaml: YamlFile, text: PolicyText, shared: Shared, context: PolicyContext, within: string) {
    this.yaml = yaml
    this.within = within
    this.text = text
    this.#shared = shared
    if (isDelegated(within)) shared.delegated.add(yaml.file)
    else if (text.delegate !== undefined) shared.delegates = true
    this.#read = new PartReader(yaml, text, shared, context)
  }

  /** Where in the file something that was read from it stands. */
  pathOf(item: object): Path {
    return this.#paths.get(item) ?? []
  }

  grants(): Grant[] {
    return this.#items('grants', (text: GrantText, path) => {
      this.#claimId(this.#shared.grantIds, text.id, path)
      if (text.id.startsWith('sub-'))
        this.#read.complain([...path, 'id'], 'ids that begin with sub- belong to approved subscriptions', 'choose another')
      const [sinceMs, untilMs] = [this.#read.time(text.since, [...path, 'since']), this.#read.time(text.until, [...path, 'until'])]
      if (sinceMs !== null && untilMs !== null && untilMs <= sinceMs) this.#read.complain([...path, 'until'], 'is not after since')
      return {
        id: text.id,
        to: this.#read.subjects(text.to, [...path, 'to']),
        covers: this.#covers(text, path),
        sinceMs,
        untilMs,
        networks: this.#read.from(text.from, [...path, 'from']),
        hours: this.#read.hours(text.hours, [...path, 'hours']),
        why: text.why ?? null,
        owner: text.owner ?? null,
        place: this.#read.place(path),
      }
    })
  }

  rules(): Rule[] {
    return this.#items('rules', (text: RuleText, path) => {
      this.#claimId(this.#shared.ruleIds, text.id, path)
      return {
        id: text.id,
        denies: this.#denies(text, path),
        for: text.for === undefined ? null : this.#read.subjects(text.for, [...path, 'for']),
        except: text.except === undefined ? [] : this.#read.subjects(text.except, [...path, 'except']),
        when: this.#read.condition(text.when, [...path, 'when']),
        unless: this.#read.condition(text.unless, [...path, 'unless']),
        shadowUntilMs: this.#read.time(text.shadow?.until, [...path, 'shadow', 'until']),
        place: this.#read.place(path),
      }
    })
  }

  /** @param before how many shadows the files before this one have */
  shadows(before: number): Shadow[] {
    return this.#items('shadow', (text: ShadowText, path, i) => ({
      id: `shadow[${before + i}]`,
      patterns: this.#read
        .kindsOf(text, path)
        .flatMap(kind => (text.everything ? [wholeKind(kind, 0)] : this.#read.patterns(text, kind, path))),
      untilMs: this.#read.time(text.until, [...path, 'until']) ?? 0,
      listeners: this.#read.listeners(text.listeners, [...path, 'listeners']),
      place: this.#read.place(path),
    }))
  }

  tests(): PolicyTest[] {
    return this.#items('tests', (text: TestText, path) => {
      if (text.can === undefined && text.cannot === undefined) this.#read.complain(path, 'asks nothing', 'add can: or cannot:')
      if (text.address !== undefined) this.#read.right(readBlock(text.address), [...path, 'address'], '')
      const questions = (key: 'can' | 'cannot') =>
        [text[key] ?? []].flat().flatMap((question, i) => {
          const read = readQuestion(question, key)
          return this.#read.right(read, [...path, key, ...(Array.isArray(text[key]) ? [i] : [])], null) ?? []
        })
      return {
        name: text.name ?? null,
        as: this.#as(text.as, [...path, 'as']),
        atMs: this.#read.time(text.at, [...path, 'at']),
        address: text.address ?? null,
        can: questions('can'),
        cannot: questions('cannot'),
        place: this.#read.place(path),
      }
    })
  }

  /** Reads each item of a list that has the right shape. */
  #items<T, R extends object>(key: 'grants' | 'rules' | 'shadow' | 'tests', read: (text: T, path: Path, i: number) => R): R[] {
    const items: unknown = this.text[key]
    if (!Array.isArray(items)) return []
    return items.flatMap((item, i) => {
      if (!this.yaml.isClean([key, i])) return []
      const one = read(item as T, [key, i], i)
      this.#paths.set(one, [key, i])
      return [one]
    })
  }

  #claimId(ids: Map<string, Place>, id: string, path: Path): void {
    const known = ids.get(id)
    if (known === undefined) ids.set(id, this.#read.place([...path, 'id']))
    else this.#read.complain([...path, 'id'], `the id ${id} already stands at ${known.file}:${known.line}`, 'ids stand once')
  }

  #covers(text: GrantText, path: Path): Cover[] {
    const words = [text.allow].flat()
    const kinds = this.#read.kindsOf(text, path)
    const operations = words.filter((word): word is OperationName => !isVerb(word))
    if (operations.length > 0 && kinds.length > 1) {
      this.#read.complain(
        [...path, 'allow'],
        `${operations.join(', ')}: operations are granted on one kind of resource`,
        'make it one grant a kind',
      )
      return []
    }
    for (const verb of words.filter(isVerb)) {
      if (kinds.length > 0 && words.length > 1 && kinds.every(kind => VERBS[verb][kind] === 0)) {
        this.#read.complain([...path, 'allow'], `${verb} says nothing about ${kinds.join(' or ')}`)
      }
    }
    return kinds.flatMap(kind => {
      const set = this.#read.right(readAllow(words, kind), operations.length > 0 ? [...path, 'allow'] : [...path, kind], 0)
      if (kind === 'cluster') return [wholeKind(kind, set)]
      return this.#read.patterns(text, kind, path).map(pattern => ({ ...pattern, operations: set }))
    })
  }

  #denies(text: RuleText, path: Path): Cover[] {
    const kinds = this.#read.kindsOf(text, path)
    const set = readDeny([text.deny].flat())
    for (const word of [text.deny].flat()) {
      if (word === 'all' || word === 'change' || kinds.length === 0) continue
      if (kinds.every(kind => (SUPPORTED[KINDS[kind]] & (1 << OPERATIONS[word])) === 0)) {
        this.#read.complain([...path, 'deny'], `${word} does not exist on ${kinds.join(' or ')}`)
      }
    }
    return kinds.flatMap(kind => {
      if (text.everything || kind === 'cluster') return [wholeKind(kind, set)]
      return this.#read.patterns(text, kind, path).map(pattern => ({ ...pattern, operations: set }))
    })
  }

  #as(as: TestText['as'], path: Path): PolicyTest['as'] {
    const named = (['user', 'person', 'service'] as const).filter(key => as[key] !== undefined)
    if (named.length !== 1) this.#read.complain(path, 'must name one of user, person and service')
    const kind = named[0] ?? 'user'
    const subject = this.#read.subject({ [kind]: as[kind] ?? '?', ...(as.issuer === undefined ? {} : { issuer: as.issuer }) }, [
      ...path,
      kind,
    ])
    return {
      subject: (subject ?? { kind: 'user', issuer: this.#read.issuer, name: '?' }) as PolicyTest['as']['subject'],
      groups: as.groups ?? [],
      realmRoles: as.roles ?? [],
      clientRoles: as.clientRoles ?? {},
      organizations: as.organizations ?? {},
      claims: as.claims ?? {},
      acting: as.acting ?? null,
    }
  }
}
