// The client's side of SCRAM: three messages that prove the password to the server, and the server to us (RFC 5802, RFC 7677).

import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify(pbkdf2)
/** Kafka's own least (ScramMechanism.java), and a most against a server that wants us to work for hours. */
const ITERATIONS = { least: 4096, most: 1_000_000 }
const NONCE_BYTES = 24
const MAX_KEPT = 16

export type ScramHash = 'sha256' | 'sha512'

/** The server's messages are not what the protocol wants, or do not prove that it knows the password. */
class ScramError extends Error {
  readonly code = 'ERR_SCRAM'
}

/** Salted passwords by everything that they are made of: a thousand logins cost one derivation. */
const salted = new Map<string, Promise<Buffer>>()

function saltedPassword(hash: ScramHash, password: string, salt: Buffer, iterations: number): Promise<Buffer> {
  const digest = createHash('sha256').update(password).digest('base64')
  const key = [hash, digest, salt.toString('base64'), iterations].join()
  let kept = salted.get(key)
  if (kept === undefined) {
    kept = derive(password, salt, iterations, hash === 'sha256' ? 32 : 64, hash)
    kept.catch(() => salted.delete(key))
    if (salted.size >= MAX_KEPT) salted.delete(salted.keys().next().value!)
    salted.set(key, kept)
  }
  return kept
}

/** One login by SCRAM-SHA-256 or -512. Names and passwords are taken as UTF-8, as Kafka does (ScramFormatter.java). */
export class ScramClient {
  readonly #hash: ScramHash
  readonly #password: string
  readonly #nonce: string
  readonly #bare: string
  #serverSignature: Buffer | null = null

  /** @param nonce for tests with known answers */
  constructor(hash: ScramHash, username: string, password: string, nonce = randomBytes(NONCE_BYTES).toString('base64')) {
    this.#hash = hash
    this.#password = password
    this.#nonce = nonce
    this.#bare = `n=${username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`
  }

  first(): Buffer {
    return Buffer.from(`n,,${this.#bare}`)
  }

  /** The client-final message. @throws {ScramError} */
  async final(serverFirst: string): Promise<Buffer> {
    const [, nonce, saltText, count] = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=(\d{1,9})(?:,.*)?$/s.exec(serverFirst) ?? []
    if (nonce === undefined) throw new ScramError('the first message of the broker is not one of SCRAM')
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) {
      throw new ScramError('the broker answered with the nonce of somebody else')
    }
    const iterations = Number(count)
    if (iterations < ITERATIONS.least || iterations > ITERATIONS.most) {
      throw new ScramError(`the broker wants ${iterations} iterations; ${ITERATIONS.least} to ${ITERATIONS.most} are done`)
    }
    const password = await saltedPassword(this.#hash, this.#password, Buffer.from(saltText!, 'base64'), iterations)
    const withoutProof = `c=biws,r=${nonce}`
    const message = `${this.#bare},${serverFirst},${withoutProof}`
    const clientKey = this.#hmac(password, 'Client Key')
    const proof = this.#hmac(createHash(this.#hash).update(clientKey).digest(), message)
    for (let i = 0; i < proof.length; i++) proof[i]! ^= clientKey[i]!
    this.#serverSignature = this.#hmac(this.#hmac(password, 'Server Key'), message)
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`)
  }

  /** @throws {ScramError} the server refuses, or does not know the password itself */
  verify(serverFinal: string): void {
    const error = /^e=([^,]*)/.exec(serverFinal)?.[1]
    if (error !== undefined) throw new ScramError(`the broker refused: ${error}`)
    const signature = Buffer.from(/^v=([A-Za-z0-9+/]+={0,2})(?:,.*)?$/s.exec(serverFinal)?.[1] ?? '', 'base64')
    const wanted = this.#serverSignature
    if (wanted === null || signature.length !== wanted.length || !timingSafeEqual(signature, wanted)) {
      throw new ScramError('the broker did not prove that it knows the password')
    }
  }

  #hmac(key: Buffer, text: string): Buffer {
    return createHmac(this.#hash, key).update(text).digest()
  }
}
