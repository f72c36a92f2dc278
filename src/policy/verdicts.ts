// What is known of one principal's rights: verdicts by name, computed for all operations at once and kept until something moves.

import type { Clock } from '../base/clock.ts'
import type { Operation, Reason } from './authorizer.ts'
import { Operation as Operations, Resource as Resources, Verdict } from './authorizer.ts'
import { Bindings } from './bindings.ts'
import { type Asker, countsOn } from './conditions.ts'
import type { Given } from './given.ts'
import { wholeGrantId } from './grant-tuples.ts'
import { holdsAt } from './hours.ts'
import type { Layers } from './layers.ts'
import { Bits } from './layers.ts'
import type { Name, Names } from './names.ts'
import type { OperationSet } from './operations.ts'
import { broughtBy, SUPPORTED, withImplied } from './operations.ts'
import { addWord, wordAt } from './pages.ts'
import type { Pattern } from './policy-document.ts'
import { type Standing, verdictIn } from './standing.ts'

const { Allowed, Refused, Undecided, Unknown } = Verdict
const CREATE: OperationSet = 1 << Operations.Create
const DESCRIBE: OperationSet = 1 << Operations.Describe
const WRITE: OperationSet = 1 << Operations.Write
/** Flags in a word of verdicts, below the bits of the lowest operation. */
const CREATE_BY_CLUSTER = 1
const COMPLETE = 2

/** What is told of a name and operation when it is first judged. */
export interface Tells {
  readonly wouldRefuse: ((operation: Operation, name: Name) => void) | null
  readonly allowed: ((operation: Operation, name: Name) => void) | null
}

let stamps = 0

/** The verdicts of all principals that no policy in force can tell apart. */
export class Verdicts {
  /** Never the same twice in a thread: moves whenever a verdict given before may no longer hold. */
  stamp = ++stamps
  /** A word a slot: two bits (`Verdict`) for each operation, at twice its code. In pages, so that who asks little keeps little. */
  pages: Uint32Array[] = []
  /** Generation of the names that the slots are of. */
  generation: number
  /** Epoch ms at which something comes into force or ends. */
  untilMs = 0
  readonly layers: Layers
  readonly given: Given
  readonly asker: Asker
  readonly #names: Names
  readonly #clock: Clock
  readonly #tellsAllowed: boolean
  #givenEpoch: number
  #grants: Bits
  #shadows: Bits
  readonly #rules: Bindings
  #writes: Verdict = Unknown
  #createsAnywhere: OperationSet | null = null
  readonly #standing: Standing = { allowed: 0, wouldRefuse: 0, byCluster: 0, unknown: 0, undecided: 0 }

  /** @param tellsAllowed allowed operations are kept one by one, so that each is told */
  constructor(layers: Layers, given: Given, asker: Asker, names: Names, clock: Clock, tellsAllowed: boolean) {
    this.#tellsAllowed = tellsAllowed
    this.layers = layers
    this.given = given
    this.asker = asker
    this.#names = names
    this.#clock = clock
    this.generation = names.generation
    this.#givenEpoch = given.epoch
    this.#grants = new Bits(layers.policy.grants.length)
    this.#rules = new Bindings(layers, asker)
    this.#shadows = new Bits(layers.policy.shadows.length)
    this.#weigh()
  }

  isFresh(): boolean {
    return this.#clock.nowMs < this.untilMs && this.given.epoch === this.#givenEpoch && this.generation === this.#names.generation
  }

  /** Takes what has changed since into account; the stamp moves only if a verdict may have changed. */
  renew(): void {
    if (this.generation !== this.#names.generation) {
      this.generation = this.#names.generation
      this.pages = []
    }
    if (this.given.epoch !== this.#givenEpoch) {
      this.#givenEpoch = this.given.epoch
      this.#weigh()
      this.#forget()
    } else if (this.#clock.nowMs >= this.untilMs && this.#weigh()) this.#forget()
  }

  /** Judges all operations on a name and keeps what is known. Returns the verdict on one. @param tells called once a name and operation */
  judge(operation: Operation, name: Name, { wouldRefuse, allowed }: Tells): Verdict {
    const bit = 1 << operation
    const standing = this.#stand(name, bit)
    this.#keep(name, standing)
    const verdict = verdictIn(standing, bit)
    if (verdict !== Allowed) return verdict
    addWord(this.pages, name.slot, Allowed << (operation << 1))
    if (standing.wouldRefuse & bit) wouldRefuse?.(operation, name)
    else allowed?.(operation, name)
    return verdict
  }

  /** The operations that Kafka's authorized-operations field would hold; -1 while any is not known. */
  operations(name: Name): OperationSet {
    const word = wordAt(this.pages, name.slot)
    if (word & COMPLETE) {
      let set = 0
      for (let op: number = Operations.Read; op <= Operations.TwoPhaseCommit; op++)
        if (((word >>> (op << 1)) & 3) === Allowed) set |= 1 << op
      return word & CREATE_BY_CLUSTER ? set & ~CREATE : set
    }
    const standing = this.#stand(name, SUPPORTED[name.resource])
    this.#keep(name, standing)
    return standing.unknown !== 0 ? -1 : standing.allowed & ~standing.byCluster
  }

  /** Whether a rule refuses this, whatever was granted. */
  denies(operation: Operation, name: Name): boolean {
    return (this.#rules.denied(name) & (1 << operation)) !== 0
  }

  /** KafkaApis.scala handleInitProducerIdRequest: IDEMPOTENT_WRITE on the cluster, or WRITE on any topic (Authorizer.authorizeByResourceType). */
  mayWriteSomething(tells: Tells): Verdict {
    if (this.#writes !== Unknown) return this.#writes
    const cluster = this.#cluster()
    const bit = 1 << Operations.IdempotentWrite
    const beyond = this.given.beyond(cluster, bit)
    if (beyond.refused & bit) return (this.#writes = Refused)
    if (this.given.grants() === null) return this.given.undecided ? Undecided : Unknown
    if (beyond.unknown & bit) return Unknown
    if (beyond.undecided & bit) return Undecided
    if (this.#writesSomeTopic()) return (this.#writes = Allowed)
    const { patterns, others } = this.given.writable()
    if (patterns.some(pattern => this.#mayWrite(pattern))) return (this.#writes = Allowed)
    if (others !== Refused) return others
    return (this.#writes = this.judge(Operations.IdempotentWrite, cluster, tells))
  }

  /** Whoever is not blocked on the cluster. */
  mayConnect(): Verdict {
    const { refused, unknown, undecided } = this.given.beyond(this.#cluster(), DESCRIBE)
    if (refused & DESCRIBE) return Refused
    if (this.given.grants() === null) return this.given.undecided ? Undecided : Unknown
    if (unknown & DESCRIBE) return Unknown
    return undecided & DESCRIBE ? Undecided : Allowed
  }

  explain(operation: Operation, name: Name): Reason {
    const { policy } = this.layers
    const reason = (verdict: Verdict, why: string, more: Partial<Reason> = {}): Reason => {
      const base = { verdict, why, grant: null, rule: null, shadow: null, generation: policy.generation, engine: this.given.engine }
      return { ...base, ...more }
    }
    const bit = 1 << operation
    if ((SUPPORTED[name.resource] & bit) === 0) return reason(Refused, 'no such operation on this kind of resource')
    const rule = this.#rules.ruleOf(operation, name)
    if (rule !== null) return reason(Refused, 'rule', { rule })
    const shadow = this.#rules.shadowRuleOf(operation, name)
    const verdict = verdictIn(this.#stand(name, bit), bit)
    if (verdict === Unknown) return reason(verdict, 'not asked yet')
    if (verdict === Undecided) return reason(verdict, 'engine did not answer')
    if (this.given.beyond(name, bit).refused & bit) return reason(Refused, 'blocked')
    const grant = this.layers.grants[name.resource].ownerOf(name.bytes, this.#grants, broughtBy(operation))
    if (grant >= 0)
      return reason(verdict, shadow === null ? 'grant' : 'rule in shadow', { grant: wholeGrantId(policy.grants[grant]!.id), shadow })
    if (this.given.beyond(name, bit).allowed & bit) return reason(verdict, 'relationship', { shadow })
    const byCluster = this.#createsByCluster(operation, name) ? this.explain(operation, this.#cluster()) : null
    if (byCluster !== null && byCluster.shadow === null) return { ...byCluster, why: 'right on the cluster', shadow }
    const through = this.layers.shadows[name.resource].ownerOf(name.bytes, this.#shadows, bit)
    if (through >= 0) return reason(verdict, 'no grant, in shadow', { shadow: shadow ?? policy.shadows[through]!.id })
    return reason(verdict, 'no grant', { shadow })
  }

  #cluster(): Name {
    return this.#names.text(Resources.Cluster, 'kafka-cluster')
  }

  #createsByCluster(operation: Operation, name: Name): boolean {
    return operation === Operations.Create && name.resource === Resources.Topic && this.#clusterCreate() !== 0
  }

  #stand(name: Name, wanted: OperationSet): Standing {
    const { resource, bytes } = name
    const supported = SUPPORTED[resource]
    const open = supported & ~this.#rules.denied(name)
    const wouldDeny = this.#rules.wouldDeny(name)
    const known = this.given.grants() !== null
    const beyond = this.given.beyond(name, wanted & open)
    const standing = this.#standing
    if (!known && !this.given.undecided) {
      standing.unknown = open & ~beyond.refused
      standing.allowed = standing.wouldRefuse = standing.byCluster = standing.undecided = 0
      return standing
    }
    const granted = withImplied(this.layers.grants[resource].union(bytes, this.#grants)) | beyond.allowed
    const byCluster = resource === Resources.Topic && (granted & CREATE) === 0 && known ? this.#clusterCreate() : 0
    const shadowed = this.layers.shadows[resource].union(bytes, this.#shadows)
    standing.unknown = open & ~beyond.refused & beyond.unknown
    standing.undecided = open & ~beyond.refused & ~standing.unknown & (beyond.undecided | (known ? 0 : open))
    const decided = open & ~beyond.refused & ~standing.unknown & ~standing.undecided
    standing.allowed = decided & (granted | byCluster | shadowed)
    standing.wouldRefuse = standing.allowed & (~(granted | byCluster) | wouldDeny)
    standing.byCluster = decided & byCluster & ~shadowed
    return standing
  }

  /** Create on the cluster, as a set: CREATE on CLUSTER lets a client create any topic (KafkaApis.scala handleCreateTopicsRequest). */
  #clusterCreate(): OperationSet {
    return (this.#createsAnywhere ??= this.#judgeClusterCreate())
  }

  #judgeClusterCreate(): OperationSet {
    const cluster = this.#cluster()
    const beyond = this.given.beyond(cluster, CREATE)
    const granted = (this.layers.grants[Resources.Cluster].union(cluster.bytes, this.#grants) | beyond.allowed) & ~beyond.refused
    return (granted & CREATE) === 0 ? 0 : CREATE & ~this.#rules.denied(cluster)
  }

  #keep(name: Name, standing: Standing): void {
    const untold = this.#tellsAllowed ? standing.allowed : standing.wouldRefuse
    const open = standing.unknown | standing.undecided | untold
    let word = open === 0 ? COMPLETE : 0
    if (standing.byCluster) word |= CREATE_BY_CLUSTER
    for (let op: number = Operations.Read; op <= Operations.TwoPhaseCommit; op++) {
      const bit = 1 << op
      if ((open & bit) === 0) word |= (standing.allowed & bit ? Allowed : Refused) << (op << 1)
    }
    addWord(this.pages, name.slot, word)
  }

  #writesSomeTopic(): boolean {
    const { grants, shadows } = this.layers.policy
    return (
      grants.some((grant, i) => this.#grants.has(i) && grant.covers.some(c => c.operations & WRITE && this.#mayWrite(c))) ||
      shadows.some((shadow, i) => this.#shadows.has(i) && shadow.patterns.some(pattern => this.#mayWrite(pattern)))
    )
  }

  /** No rule refuses to write the topics of this pattern. */
  #mayWrite({ resource, prefix, text }: Pattern): boolean {
    if (resource !== Resources.Topic) return false
    const denied = prefix ? this.#rules.deniedOfPrefix(resource, text) : this.#rules.denied({ resource, text, bytes: Buffer.from(text) })
    return (denied & WRITE) === 0
  }

  #forget(): void {
    this.pages = []
    this.#writes = Unknown
    this.#createsAnywhere = null
    this.stamp = ++stamps
  }

  /** Finds what is in force now, and until when. Returns whether that is another set than before. */
  #weigh(): boolean {
    const { nowMs } = this.#clock
    const { policy, networksOf, grantNumber } = this.layers
    const grants = new Bits(policy.grants.length)
    const shadows = new Bits(policy.shadows.length)
    const rules = this.#rules.weigh(nowMs)
    this.untilMs = rules.untilMs
    for (const id of this.given.grants() ?? []) {
      const number = grantNumber.get(id)
      if (number === undefined) continue
      const grant = policy.grants[number]!
      if (grant.networks !== null && networksOf(grant.networks).has(this.asker.address) !== true) continue
      if (this.#until(holdsAt(grant, nowMs))) grants.add(number)
    }
    policy.shadows.forEach((shadow, i) => {
      if (countsOn(shadow, this.asker.listener) !== true) return
      if (this.#until(holdsAt({ sinceMs: null, untilMs: shadow.untilMs, hours: null }, nowMs))) shadows.add(i)
    })
    const changed = rules.changed || !grants.equals(this.#grants) || !shadows.equals(this.#shadows)
    this.#grants = grants
    this.#shadows = shadows
    return changed
  }

  #until(holds: { yes: boolean; untilMs: number }): boolean {
    this.untilMs = Math.min(this.untilMs, holds.untilMs)
    return holds.yes
  }
}
