// ACLs, delegation tokens and SCRAM credentials never reach the broker, whoever asks.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Principal } from '../../src/auth/principal.ts'
import { credentialRules } from '../../src/policy/credential-rules.ts'
import { DescribeAcls } from '../../src/protocol/messages/29-describe-acls.ts'
import { CreateAcls } from '../../src/protocol/messages/30-create-acls.ts'
import { CreateDelegationToken } from '../../src/protocol/messages/38-create-delegation-token.ts'
import { AlterUserScramCredentials } from '../../src/protocol/messages/51-alter-user-scram-credentials.ts'
import { answered, Given, judge, request } from './given.ts'

const RIGHTS = ['Alter', 'Describe', 'Create', 'ClusterAction', 'DescribeConfigs', 'AlterConfigs'].map(o => `${o} Cluster:kafka-cluster`)
function callerWith(allow: readonly string[]): Given {
  const caller = new Given({ allow })
  Object.assign(caller.rights.principal, { id: 'service:dev/ops' } satisfies Partial<Principal>)
  return caller
}

/** As clients ask for all ACLs. */
const ANY_ACL = { resourceTypeFilter: 1, patternTypeFilter: 1, operation: 1, permissionType: 1 }

test('whoever may do everything is answered by the gate, in every version', () => {
  assert.equal(credentialRules.length, 9)
  for (const { api } of credentialRules) {
    for (let version = api.versions.min; version <= api.versions.max; version++) {
      const body = api === DescribeAcls ? ANY_ACL : {}
      const outcome = judge(api, version, request(api, version, body), callerWith(RIGHTS))
      assert.equal(outcome.kind, 'answer', `${api.name} v${version}`)
    }
  }
})

test('ACLs: who may alter the cluster is told that there is no authorizer, who may not is refused', () => {
  const acl = {
    resourceType: 2,
    resourceName: 't',
    resourcePatternType: 3,
    principal: 'User:x',
    host: '*',
    operation: 3,
    permissionType: 3,
  }
  const frame = request(CreateAcls, 3, { creations: [acl, acl] })
  const told = (caller: Given) => answered(CreateAcls, 3, judge(CreateAcls, 3, frame, caller)).results

  const disabled = { errorCode: 54, errorMessage: 'No Authorizer is configured.' }
  const ops = callerWith(RIGHTS)
  assert.deepEqual(told(ops), [disabled, disabled])
  assert.deepEqual(ops.told, ['ACLs not changed'])
  const refused = { errorCode: 31, errorMessage: 'Cluster authorization failed.' }
  assert.deepEqual(told(callerWith([])), [refused, refused])
})

test('a token for somebody else, or with a renewer that is no user, is refused before it is told that there are none', () => {
  const code = (body: object) => {
    const frame = request(CreateDelegationToken, 3, { renewers: [], maxLifetimeMs: -1n, ...body })
    return answered(CreateDelegationToken, 3, judge(CreateDelegationToken, 3, frame, callerWith(RIGHTS))).errorCode
  }
  const own = { ownerPrincipalType: 'User', ownerPrincipalName: 'service:dev/ops' }
  const renewers = [{ principalType: 'Group', principalName: 'x' }]

  assert.deepEqual([code({}), code(own)], [61, 61])
  assert.equal(code({ ...own, ownerPrincipalName: 'else' }), 65)
  assert.equal(code({ renewers }), 67)
})

test('each user whose credentials were to change is told once, in order', () => {
  const body = {
    deletions: [{ name: 'b', mechanism: 1 }],
    upsertions: ['b', 'a'].map(name => ({ name, mechanism: 1, iterations: 4096, salt: Buffer.alloc(1), saltedPassword: Buffer.alloc(1) })),
  }
  const told = (allow: readonly string[]) =>
    answered(
      AlterUserScramCredentials,
      0,
      judge(AlterUserScramCredentials, 0, request(AlterUserScramCredentials, 0, body), callerWith(allow)),
    ).results.map((r: any) => `${r.user} ${r.errorCode}`)

  assert.deepEqual(told([]), ['a 31', 'b 31'])
  assert.deepEqual(told(RIGHTS), ['a 35', 'b 35'])
})
