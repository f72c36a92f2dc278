// Tokens for the IAM listener of Amazon MSK: a presigned request that goes as an OAUTHBEARER token, signed by the package that Amazon publishes for it.

import { createRequire } from 'node:module'

const SIGNER = 'aws-msk-iam-sasl-signer-js'
const load = createRequire(import.meta.url)

/** Who signs: whoever the SDK's default chain finds, unless a profile or a role is named. */
export interface MskIdentity {
  readonly region: string
  /** The ARN of a role that the one who is found, or the profile, assumes. */
  readonly role: string | null
  /** A profile of the shared files. */
  readonly profile: string | null
}

/** What keeps tokens from being signed here, and the mend; null: nothing. */
export function missingSigner(): { readonly problem: string; readonly hint: string } | null {
  try {
    load.resolve(SIGNER)
    return null
  } catch {
    return { problem: `AWS_MSK_IAM needs the package ${SIGNER}, which is not installed`, hint: `npm install ${SIGNER}, beside topicgate` }
  }
}

/** @throws {Error} when the package is not there, or there are no credentials */
export async function signForMsk(identity: MskIdentity): Promise<{ token: string; expiresAtMs: number }> {
  const missing = missingSigner()
  if (missing !== null) throw new Error(`${missing.problem}: ${missing.hint}`)
  const { generateAuthTokenFromCredentialsProvider } = load(SIGNER)
  const { region } = identity
  let endsAtMs = Number.POSITIVE_INFINITY
  // Told of an end that is near, the signer writes a part of a second into the token. Those in Go and Python always say 900 s, and so does this.
  const awsCredentialsProvider = async () => {
    const { expiration, ...keys } = await credentialsOf(identity)()
    endsAtMs = expiration?.getTime() ?? endsAtMs
    return keys
  }
  const { token, expiryTime } = await generateAuthTokenFromCredentialsProvider({ region, awsCredentialsProvider })
  return { token, expiresAtMs: Math.min(expiryTime, endsAtMs) }
}

/** The signer's own ways to credentials keep the shared files as they were first read; a gate runs longer than those stay good. */
function credentialsOf({ region, role, profile }: MskIdentity): () => Promise<{ readonly expiration?: Date }> {
  const aws = createRequire(load.resolve(SIGNER))('@aws-sdk/credential-providers')
  const options = { ignoreCache: true, clientConfig: { region } }
  const own = profile === null ? aws.fromNodeProviderChain(options) : aws.fromIni({ ...options, profile })
  if (role === null) return own
  const params = { RoleArn: role, RoleSessionName: 'topicgate' }
  return aws.fromTemporaryCredentials({ ...options, masterCredentials: own, params })
}
