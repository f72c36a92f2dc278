// A broker of Amazon MSK's IAM listener and the token service behind it, scripted: what they check is what AWS documents, computed here.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AnsweringBroker, clusterAnswers } from './answering-broker.ts'
import { EMPTY_HASH, encoded, signatureOf } from './sigv4.ts'

export const REGION = 'eu-central-1'
const MAX_LIFE_S = 900
/** How far the clocks of both sides may be apart. */
const SKEW_MS = 300_000

export interface AwsKey {
  readonly secretKey: string
  readonly sessionToken?: string
}
/** Keys that are known, by access key id. */
export type AwsKeys = ReadonlyMap<string, AwsKey>

/** The URL in a token: how long it is good for, or why it is not. */
export function verifyToken(token: string, keys: AwsKeys, nowMs: number): { readonly expiresAtMs: number } | { readonly refused: string } {
  const url = new URL(Buffer.from(token, 'base64url').toString())
  const query = new Map([...url.searchParams])
  const of = (name: string) => query.get(`X-Amz-${name}`) ?? ''
  const [accessKeyId = '', ...scope] = of('Credential').split('/')
  const key = keys.get(accessKeyId)
  const date = of('Date')
  const madeAtMs = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  const lifeS = Number(of('Expires'))
  const wrong = (refused: string) => ({ refused })
  if (url.origin !== `https://kafka.${REGION}.amazonaws.com` || url.pathname !== '/') return wrong('not our address')
  if (query.get('Action') !== 'kafka-cluster:Connect') return wrong('another action')
  if (of('Algorithm') !== 'AWS4-HMAC-SHA256' || of('SignedHeaders') !== 'host') return wrong('another way to sign')
  if (scope.join('/') !== `${date.slice(0, 8)}/${REGION}/kafka-cluster/aws4_request`) return wrong('another scope')
  if (key === undefined || of('Security-Token') !== (key.sessionToken ?? '')) return wrong('no such key')
  if (!Number.isInteger(lifeS) || lifeS < 1 || lifeS > MAX_LIFE_S) return wrong('not for up to 900 seconds')
  if (!(nowMs > madeAtMs - SKEW_MS && nowMs < madeAtMs + lifeS * 1000)) return wrong('expired, or not yet valid')
  // The signer adds its own name when it has signed.
  const signed = [...query].filter(([name]) => name !== 'X-Amz-Signature' && name !== 'User-Agent')
  const request = { method: 'GET', host: url.host, path: '/', query: signed, payloadHash: EMPTY_HASH }
  const signature = signatureOf(request, { secretKey: key.secretKey, scope: scope.join('/'), date })
  return of('Signature') === signature ? { expiresAtMs: madeAtMs + lifeS * 1000 } : wrong('another signature')
}

/** The token as it must be, byte by byte. @param date `yyyymmddThhmmssZ` */
export function expectedToken(accessKeyId: string, { secretKey, sessionToken }: AwsKey, date: string, userAgent: string): string {
  const host = `kafka.${REGION}.amazonaws.com`
  const scope = `${date.slice(0, 8)}/${REGION}/kafka-cluster/aws4_request`
  const query: [string, string][] = [
    ['Action', 'kafka-cluster:Connect'],
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', `${accessKeyId}/${scope}`],
    ['X-Amz-Date', date],
    ['X-Amz-Expires', String(MAX_LIFE_S)],
    ...(sessionToken === undefined ? [] : [['X-Amz-Security-Token', sessionToken] as [string, string]]),
    ['X-Amz-SignedHeaders', 'host'],
  ]
  const signature = signatureOf({ method: 'GET', host, path: '/', query, payloadHash: EMPTY_HASH }, { secretKey, scope, date })
  const pairs = [...query, ['X-Amz-Signature', signature], ['User-Agent', userAgent]].map(([name, value]) => `${name}=${encoded(value!)}`)
  return Buffer.from(`https://${host}/?${pairs.sort().join('&')}`).toString('base64url')
}

export interface MskBroker {
  readonly broker: AnsweringBroker
  /** What SaslAuthenticate carried, each time. */
  readonly said: Buffer[]
  /** Why logins were refused. */
  readonly refused: string[]
}

/** Lets in whoever brings a good token by OAUTHBEARER, for as long as the token is good. */
export async function mskBroker(keys: AwsKeys, now: () => number = Date.now): Promise<MskBroker> {
  const said: Buffer[] = []
  const refused: string[] = []
  const refuse = (errorMessage: string) => ({ errorCode: 58, errorMessage, authBytes: Buffer.alloc(0), sessionLifetimeMs: 0n })
  const broker: AnsweringBroker = await AnsweringBroker.start({
    ...clusterAnswers(() => [broker], {}),
    17: ({ mechanism }) => ({ errorCode: mechanism === 'OAUTHBEARER' ? 0 : 33, mechanisms: ['OAUTHBEARER', 'AWS_MSK_IAM'] }),
    36: ({ authBytes }) => {
      said.push(Buffer.from(authBytes))
      const token = /^n,,\x01auth=Bearer ([\w-]+)\x01\x01$/.exec(authBytes.toString('latin1'))?.[1]
      if (token === undefined) return refuse('{"status":"invalid_token"}')
      const verified = verifyToken(token, keys, now())
      if ('expiresAtMs' in verified) {
        return { errorCode: 0, errorMessage: null, authBytes: Buffer.alloc(0), sessionLifetimeMs: BigInt(verified.expiresAtMs - now()) }
      }
      refused.push(verified.refused)
      // RFC 7628 §3.2.2: first the reason as a challenge, then the failure.
      return { errorCode: 0, errorMessage: null, authBytes: Buffer.from('{"status":"invalid_token"}'), sessionLifetimeMs: 0n }
    },
  })
  return { broker, said, refused }
}

export interface TokenService {
  readonly url: string
  /** What came, and whose key signed it. */
  readonly asked: { readonly form: URLSearchParams; readonly accessKeyId: string | undefined }[]
  stop(): void
}

/** AWS STS: gives the key of a role to whoever asks. @param lifeMs of the key */
export async function tokenService(accessKeyId: string, key: Required<AwsKey>, lifeMs = 3_600_000): Promise<TokenService> {
  const asked: { form: URLSearchParams; accessKeyId: string | undefined }[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', chunk => (text += chunk))
    request.on('end', () => {
      asked.push({ form: new URLSearchParams(text), accessKeyId: /Credential=(\w+)/.exec(request.headers.authorization ?? '')?.[1] })
      const expires = new Date(Date.now() + lifeMs).toISOString()
      const credentials = `<AccessKeyId>${accessKeyId}</AccessKeyId><SecretAccessKey>${key.secretKey}</SecretAccessKey><SessionToken>${key.sessionToken}</SessionToken><Expiration>${expires}</Expiration>`
      response.setHeader('content-type', 'text/xml')
      response.end(
        `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>${credentials}</Credentials></AssumeRoleResult></AssumeRoleResponse>`,
      )
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const stop = () => {
    server.close()
    server.closeAllConnections()
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, stop }
}
