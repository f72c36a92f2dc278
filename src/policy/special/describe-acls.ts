// DescribeAcls: DESCRIBE on the cluster, then what the policy amounts to is listed by the gate. AclApis.scala handleDescribeAcls.

import { DescribeAcls } from '../../protocol/messages/29-describe-acls.ts'
import { MalformedError } from '../../protocol/wire.ts'
import { type AclBinding, PatternType } from '../acl-bindings.ts'
import { type AclFilter, hasUnknown, matchesFilter } from '../acl-filter.ts'
import { CLUSTER_AUTHORIZATION_FAILED, defaultText } from '../answers.ts'
import { Operation, Verdict } from '../authorizer.ts'
import { Edition } from '../edition.ts'
import { clusterName, Judging, UNDECIDED } from '../judging.ts'
import type { Caller, Outcome, Plan } from '../outcome.ts'

export const describeAclsPlan = (version: number): Plan => new DescribeAclsPlan(version)

class DescribeAclsPlan implements Plan {
  readonly apiKey = DescribeAcls.key
  readonly apiVersion: number
  readonly #edition: Edition

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(DescribeAcls, version)
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const filter: AclFilter = { patternTypeFilter: PatternType.Literal, ...this.#edition.decodeRequest(frame) }
    if (hasUnknown(filter)) throw new MalformedError('DescribeAcls: a filter of an unknown kind', 0)
    const judging = new Judging(caller, last)
    const verdict = judging.checkCluster(Operation.Describe)
    if (judging.mustWait) return judging.wait()
    if (verdict === Verdict.Refused) {
      caller.refused(Operation.Describe, clusterName(caller), CLUSTER_AUTHORIZATION_FAILED)
      const errorMessage = defaultText(CLUSTER_AUTHORIZATION_FAILED)
      return this.#edition.answer(frame, { errorCode: CLUSTER_AUTHORIZATION_FAILED, errorMessage })
    }
    const acls = verdict === Verdict.Allowed ? caller.acls.bindings() : null
    if (acls !== null) return this.#edition.answer(frame, { resources: byPattern(acls.filter(acl => matchesFilter(filter, acl))) })
    if (verdict === Verdict.Allowed && !last) return { kind: 'wait', ready: caller.acls.learn() }
    caller.undecided(Operation.Describe, clusterName(caller))
    return UNDECIDED
  }
}

/** DescribeAclsResponse.java aclsResources. */
function byPattern(acls: readonly AclBinding[]): object[] {
  const groups = Map.groupBy(acls, ({ resourceType, name, patternType }) => `${resourceType} ${patternType} ${name}`)
  return [...groups.values()].map(same => {
    const { resourceType, name: resourceName, patternType } = same[0]!
    const entries = same.map(({ principal, host, operation, permission }) => ({ principal, host, operation, permissionType: permission }))
    return { resourceType, resourceName, patternType, acls: entries }
  })
}
