// The rows of ACLs, delegation tokens and SCRAM credentials: never forwarded, since the broker sees one identity for all clients.

import { DescribeAcls } from '../protocol/messages/29-describe-acls.ts'
import { CreateAcls } from '../protocol/messages/30-create-acls.ts'
import { DeleteAcls } from '../protocol/messages/31-delete-acls.ts'
import { CreateDelegationToken } from '../protocol/messages/38-create-delegation-token.ts'
import { RenewDelegationToken } from '../protocol/messages/39-renew-delegation-token.ts'
import { ExpireDelegationToken } from '../protocol/messages/40-expire-delegation-token.ts'
import { DescribeDelegationToken } from '../protocol/messages/41-describe-delegation-token.ts'
import { DescribeUserScramCredentials } from '../protocol/messages/50-describe-user-scram-credentials.ts'
import { AlterUserScramCredentials } from '../protocol/messages/51-alter-user-scram-credentials.ts'
import { MalformedError } from '../protocol/wire.ts'
import {
  DELEGATION_TOKEN_AUTH_DISABLED,
  DELEGATION_TOKEN_AUTHORIZATION_FAILED,
  DUPLICATE_RESOURCE,
  defaultText,
  INVALID_PRINCIPAL_TYPE,
  RESOURCE_NOT_FOUND,
  SECURITY_DISABLED,
  UNSUPPORTED_VERSION,
} from './answers.ts'
import { Operation } from './authorizer.ts'
import { on, type Rule } from './rows.ts'
import { describeAclsPlan } from './special/describe-acls.ts'

const { Alter, Describe } = Operation

const told = (errorCode: number) => ({ errorCode, errorMessage: defaultText(errorCode) })
const copies = <T>(of: readonly unknown[], answer: T): T[] => of.map(() => answer)

/** AclApis.scala, of a broker without an authorizer. */
const NO_AUTHORIZER = { errorCode: SECURITY_DISABLED, errorMessage: 'No Authorizer is configured.' }
const NOT_ALLOWED = 'CLUSTER_AUTHORIZATION_FAILED for the request'
const ACLS_DIFFER =
  'never forwarded: rights stand in the policy; who may ask reads SECURITY_DISABLED, as of a broker without an authorizer, and the log names the policy’s files'

/** CreateAclsRequest.java, DeleteAclsRequest.java: the broker closes the connection, before it asks for a right. @throws {MalformedError} */
function demandKnown<T extends object>(elements: readonly T[], ...codes: readonly (keyof T)[]): readonly T[] {
  if (elements.some(element => codes.some(code => element[code] === 0))) throw new MalformedError('an ACL of an unknown kind', 0)
  return elements
}
type Creations = readonly { resourceType: number; resourcePatternType?: number; operation: number; permissionType: number }[]
const created = (creations: Creations) => demandKnown(creations, 'resourceType', 'resourcePatternType', 'operation', 'permissionType')
type Filters = readonly { resourceTypeFilter: number; patternTypeFilter?: number; operation: number; permissionType: number }[]
const filtered = (filters: Filters) => demandKnown(filters, 'resourceTypeFilter', 'patternTypeFilter', 'operation', 'permissionType')

const TOKENS = {
  needs: 'nothing',
  refused: '',
  differs: 'never forwarded: a token would be the gate’s; DELEGATION_TOKEN_AUTH_DISABLED, as of a broker that has them off',
}

export const credentialRules: readonly Rule[] = [
  on(DescribeAcls).plannedBy(describeAclsPlan, []).saying({
    needs: 'DESCRIBE on the cluster',
    refused: NOT_ALLOWED,
    differs:
      'answered by the gate: what grants, rules and shadows amount to, principals being User:, Service:, Group:, Role:, ClientRole:, Organization: and Issuer:, each with its issuer; what hangs on more than an ACL can say (hours, networks, claims, exceptions) is listed for Grant:<id> or Rule:<id>, and a shadow on some listeners for Listener:<name>',
  }),

  on(CreateAcls)
    .needsCluster(Alter)
    .refusedAs((errorCode, _version, request) => ({ results: copies(created(request().creations), told(errorCode)) }))
    .answeredHere(({ creations }, _version, caller) => {
      const results = copies(created(creations), NO_AUTHORIZER)
      caller.aclsNotChanged()
      return { results }
    })
    .saying({ refused: 'CLUSTER_AUTHORIZATION_FAILED for each', differs: ACLS_DIFFER }),

  on(DeleteAcls)
    .needsCluster(Alter)
    .refusedAs((errorCode, _version, request) => ({ filterResults: copies(filtered(request().filters), told(errorCode)) }))
    .answeredHere(({ filters }, _version, caller) => {
      const filterResults = copies(filtered(filters), NO_AUTHORIZER)
      caller.aclsNotChanged()
      return { filterResults }
    })
    .saying({ refused: 'CLUSTER_AUTHORIZATION_FAILED for each filter', differs: ACLS_DIFFER }),

  // KafkaApis.scala handleCreateTokenRequest: whose it is, and who may renew it, is looked at before the controller says that there are none.
  on(CreateDelegationToken)
    .answeredHere(({ ownerPrincipalType, ownerPrincipalName, renewers }, _version, { rights }) => {
      const requester = { type: 'User', name: rights.principal.id }
      const owner = ownerPrincipalName ? { type: ownerPrincipalType ?? '', name: ownerPrincipalName } : requester
      const others = owner.type !== requester.type || owner.name !== requester.name
      const strange = renewers.some(renewer => renewer.principalType !== 'User')
      const early = others ? DELEGATION_TOKEN_AUTHORIZATION_FAILED : strange ? INVALID_PRINCIPAL_TYPE : null
      return {
        errorCode: early ?? DELEGATION_TOKEN_AUTH_DISABLED,
        principalType: owner.type,
        principalName: owner.name,
        tokenRequesterPrincipalType: requester.type,
        tokenRequesterPrincipalName: requester.name,
        ...(early !== null && { issueTimestampMs: -1n, expiryTimestampMs: -1n, maxTimestampMs: -1n }),
      }
    })
    .saying({ ...TOKENS, refused: 'DELEGATION_TOKEN_AUTHORIZATION_FAILED for a token of somebody else' }),

  on(RenewDelegationToken)
    .answeredHere(() => ({ errorCode: DELEGATION_TOKEN_AUTH_DISABLED }))
    .saying(TOKENS),

  on(ExpireDelegationToken)
    .answeredHere(() => ({ errorCode: DELEGATION_TOKEN_AUTH_DISABLED }))
    .saying(TOKENS),

  on(DescribeDelegationToken)
    .answeredHere(() => ({ errorCode: DELEGATION_TOKEN_AUTH_DISABLED }))
    .saying(TOKENS),

  on(DescribeUserScramCredentials)
    .needsCluster(Describe)
    .refusedAs((errorCode, _version, request) => ({
      errorCode,
      errorMessage: null,
      results: copies(request().users ?? [], { errorCode, errorMessage: null }),
    }))
    .answeredHere(({ users }) => ({ results: noSuchUsers((users ?? []).map(user => user.name)) }))
    .saying({ refused: NOT_ALLOWED, differs: 'never forwarded: answered as by a broker that has no such credentials' }),

  on(AlterUserScramCredentials)
    .needsCluster(Alter)
    .refusedAs((errorCode, _version, request) => ({ results: usersOf(request()).map(user => ({ user, ...told(errorCode) })) }))
    .answeredHere(request => ({ results: usersOf(request).map(user => ({ user, ...NO_SCRAM })) }))
    .saying({ refused: 'CLUSTER_AUTHORIZATION_FAILED for each user', differs: 'never forwarded: UNSUPPORTED_VERSION for each user' }),
]

/** ScramControlManager.java, where the cluster's metadata.version has no SCRAM. */
const NO_SCRAM = { errorCode: UNSUPPORTED_VERSION, errorMessage: 'The current metadata.version does not support SCRAM' }

/** ScramImage.java describe. */
function noSuchUsers(names: readonly string[]) {
  const isTwice = new Map<string, boolean>()
  for (const name of names) isTwice.set(name, isTwice.has(name))
  return [...isTwice].map(([user, twice]) => ({
    user,
    errorCode: twice ? DUPLICATE_RESOURCE : RESOURCE_NOT_FOUND,
    errorMessage: twice
      ? `Cannot describe SCRAM credentials for the same user twice in a single request: ${user}`
      : `Attempt to describe a user credential that does not exist: ${user}`,
  }))
}

type Alterations = { deletions: readonly { name: string }[]; upsertions: readonly { name: string }[] }
const usersOf = ({ deletions, upsertions }: Alterations): string[] => [
  ...new Set([...deletions, ...upsertions].map(({ name }) => name).sort()),
]
