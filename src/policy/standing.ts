// How one name stands with one principal, for all operations at once.

import { Verdict } from './authorizer.ts'
import type { OperationSet } from './operations.ts'

/** The sets do not overlap, but `wouldRefuse` is a part of `allowed`. */
export interface Standing {
  allowed: OperationSet
  /** Let through by a shadow only. */
  wouldRefuse: OperationSet
  /** Create on a topic, by nothing but the right to create anything in the cluster. */
  byCluster: OperationSet
  unknown: OperationSet
  undecided: OperationSet
}

/** @param bit of one operation */
export function verdictIn(standing: Standing, bit: OperationSet): Verdict {
  if (standing.unknown & bit) return Verdict.Unknown
  if (standing.undecided & bit) return Verdict.Undecided
  return standing.allowed & bit ? Verdict.Allowed : Verdict.Refused
}
