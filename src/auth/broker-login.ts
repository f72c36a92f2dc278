// The gate's own login at a broker: SaslHandshake, SaslAuthenticate and what the mechanism says in them, frame by frame (KIP-152, KIP-368).

import { compileDecode, compileEncode } from '../protocol/codec.ts'
import { responseHeaderBytes } from '../protocol/header.ts'
import { SaslHandshake } from '../protocol/messages/17-sasl-handshake.ts'
import { SaslAuthenticate } from '../protocol/messages/36-sasl-authenticate.ts'
import { type Api, layout } from '../protocol/schema.ts'
import { MalformedError } from '../protocol/wire.ts'
import { ScramClient } from './scram.ts'

/** What to log in with, this time. */
export type Credential =
  | { readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; readonly username: string; readonly password: string }
  | {
      readonly mechanism: 'OAUTHBEARER'
      readonly token: string
      readonly extensions: Readonly<Record<string, string>>
      /** The broker does not take the token. */
      onRefused?(): void
    }

/** The broker does not let us in: to try again at once would be no use. */
export class LoginRefused extends Error {
  readonly code = 'ERR_BROKER_LOGIN'
}

/** The first version that says how long a session lasts; nothing here needs the flexible one behind it. */
const AUTHENTICATE_VERSION = 1
const HANDSHAKE_VERSION = 1
/** Correlation ids of a login: Kafka's clients count theirs from 0 up. */
const HANDSHAKE_ID = -17
const AUTHENTICATE_ID = -36
const UNSUPPORTED_SASL_MECHANISM = 33
const ILLEGAL_SASL_STATE = 34

/** What a mechanism says: the next message for what the broker said (first: null); null when nothing is left to say. */
type Talk = (said: Buffer | null) => Buffer | null | Promise<Buffer | null>

function talkOf(credential: Credential): Talk {
  switch (credential.mechanism) {
    case 'PLAIN':
      return said => (said === null ? Buffer.from(`\0${credential.username}\0${credential.password}`) : null)
    case 'OAUTHBEARER':
      return bearer(credential.token, credential.extensions)
    default:
      return scram(
        new ScramClient(credential.mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512', credential.username, credential.password),
      )
  }
}

/** RFC 7628 §3.1; a challenge is a refusal, which the client must acknowledge with one byte (§3.2.3). */
function bearer(token: string, extensions: Readonly<Record<string, string>>): Talk {
  const pairs = [['auth', `Bearer ${token}`], ...Object.entries(extensions)].map(([key, value]) => `${key}=${value}\x01`)
  return said => {
    if (said === null) return Buffer.from(`n,,\x01${pairs.join('')}\x01`)
    return said.length === 0 ? null : Buffer.from('\x01')
  }
}

function scram(client: ScramClient): Talk {
  let step = 0
  return said => {
    switch (step++) {
      case 0:
        return client.first()
      case 1:
        return client.final(said!.toString())
      default:
        client.verify(said!.toString())
        return null
    }
  }
}

/** One login or re-authentication; each answer of the broker is given to `take`. */
export class BrokerLogin {
  /** How long the session lasts; 0: for good, or the broker does not say. */
  lifetimeMs = 0
  readonly #credential: Credential
  readonly #talk: Talk
  readonly #version: number
  #greeted = false
  #refusal = ''

  /** @param maxVersion the newest SaslAuthenticate that the broker offers */
  constructor(credential: Credential, maxVersion: number) {
    this.#credential = credential
    this.#talk = talkOf(credential)
    this.#version = Math.min(AUTHENTICATE_VERSION, Math.max(0, maxVersion))
  }

  /** The first frame. */
  begin(): Buffer {
    return requestOf(SaslHandshake, HANDSHAKE_VERSION, HANDSHAKE_ID, { mechanism: this.#credential.mechanism })
  }

  /** The correlation id that the next answer carries. */
  get correlationId(): number {
    return this.#greeted ? AUTHENTICATE_ID : HANDSHAKE_ID
  }
  get apiKey(): number {
    return this.#greeted ? SaslAuthenticate.key : SaslHandshake.key
  }

  /** @returns the next frame to send; null: logged in. @throws {LoginRefused} {MalformedError} */
  async take(frame: Buffer): Promise<Buffer | null> {
    if (!this.#greeted) {
      this.#handshake(bodyOf(SaslHandshake, HANDSHAKE_VERSION, HANDSHAKE_ID, frame))
      this.#greeted = true
      return this.#say(null)
    }
    const answer = bodyOf(SaslAuthenticate, this.#version, AUTHENTICATE_ID, frame)
    if (answer.errorCode !== 0) {
      if (this.#credential.mechanism === 'OAUTHBEARER') this.#credential.onRefused?.()
      const said = answer.errorMessage ?? this.#refusal
      throw new LoginRefused(`the broker refused the login by ${this.#credential.mechanism} (${answer.errorCode}): ${said || 'no reason'}`)
    }
    this.lifetimeMs = Number(answer.sessionLifetimeMs ?? 0n)
    if (this.#credential.mechanism === 'OAUTHBEARER') this.#refusal = answer.authBytes.toString()
    return this.#say(answer.authBytes)
  }

  async #say(said: Buffer | null): Promise<Buffer | null> {
    let authBytes: Buffer | null
    try {
      authBytes = await this.#talk(said)
    } catch (why) {
      throw new LoginRefused((why as Error).message)
    }
    return authBytes === null ? null : requestOf(SaslAuthenticate, this.#version, AUTHENTICATE_ID, { authBytes })
  }

  #handshake({ errorCode, mechanisms }: { readonly errorCode: number; readonly mechanisms: readonly string[] }): void {
    if (errorCode === 0) return
    const { mechanism } = this.#credential
    if (errorCode === UNSUPPORTED_SASL_MECHANISM) {
      throw new LoginRefused(`the broker has no ${mechanism} here, but ${mechanisms.join(', ') || 'no other mechanism either'}`)
    }
    if (errorCode === ILLEGAL_SASL_STATE) throw new LoginRefused('the broker wants no login here, or none yet (ILLEGAL_SASL_STATE)')
    throw new LoginRefused(`the broker answered SaslHandshake with error ${errorCode}`)
  }
}

function requestOf(api: Api, version: number, correlationId: number, value: unknown): Buffer {
  const body = codecOf(api, version).encode(value)
  const frame = Buffer.alloc(14 + CLIENT_ID.length + body.length)
  frame.writeInt32BE(frame.length - 4, 0)
  frame.writeInt16BE(api.key, 4)
  frame.writeInt16BE(version, 6)
  frame.writeInt32BE(correlationId, 8)
  frame.writeInt16BE(CLIENT_ID.length, 12)
  CLIENT_ID.copy(frame, 14)
  body.copy(frame, 14 + CLIENT_ID.length)
  return frame
}

const CLIENT_ID = Buffer.from('topicgate')

interface Codec {
  encode(value: unknown): Buffer
  decode(frame: Buffer, at: number): any
}
const codecs = new Map<string, Codec>()

function codecOf(api: Api, version: number): Codec {
  const key = `${api.key}/${version}`
  let codec = codecs.get(key)
  if (codec === undefined) {
    codec = { encode: compileEncode(layout(api.request, version, false)), decode: compileDecode(layout(api.response, version, false)) }
    codecs.set(key, codec)
  }
  return codec
}

/** @throws {MalformedError} */
function bodyOf(api: Api, version: number, correlationId: number, frame: Buffer): any {
  const at = responseHeaderBytes(api.key, false)
  if (frame.length < at || frame.readInt32BE(4) !== correlationId) throw new MalformedError(`not the answer to ${api.name}`, 4)
  return codecOf(api, version).decode(frame, at)
}
