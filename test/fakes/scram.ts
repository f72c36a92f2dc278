// The server's side of SCRAM (RFC 5802), for brokers that are scripted; it holds one account.

import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

export class ScramServer {
  loggedIn = 0
  readonly #hash: 'sha256' | 'sha512'
  readonly #username: string
  readonly #salted: Buffer
  readonly #parameters: string
  /** What was said to whom, by nonce. */
  readonly #open = new Map<string, string>()

  constructor(hash: 'sha256' | 'sha512', username: string, password: string, iterations: number) {
    const salt = randomBytes(16)
    this.#hash = hash
    this.#username = username
    this.#salted = pbkdf2Sync(password, salt, iterations, hash === 'sha256' ? 32 : 64, hash)
    this.#parameters = `s=${salt.toString('base64')},i=${iterations}`
  }

  /** @throws {Error} when the client does not prove that it knows the password */
  answer(message: Buffer): Buffer {
    const text = message.toString()
    const [, bare, name, theirs] = /^n,,(n=([^,]+),r=(.+))$/.exec(text) ?? []
    if (bare !== undefined) {
      if (name !== this.#username) throw new Error(`no account ${name}`)
      const nonce = theirs + randomBytes(12).toString('base64')
      const first = `r=${nonce},${this.#parameters}`
      this.#open.set(nonce, `${bare},${first}`)
      return Buffer.from(first)
    }
    const [, withoutProof, nonce, proof] = /^(c=biws,r=([^,]+)),p=(.+)$/.exec(text)!
    const said = `${this.#open.get(nonce!)},${withoutProof}`
    const stored = createHash(this.#hash).update(this.#hmac(this.#salted, 'Client Key')).digest()
    const signature = this.#hmac(stored, said)
    const clientKey = Buffer.from(proof!, 'base64').map((byte, i) => byte ^ signature[i]!)
    if (!createHash(this.#hash).update(clientKey).digest().equals(stored)) throw new Error('a wrong password')
    this.#open.delete(nonce!)
    this.loggedIn++
    return Buffer.from(`v=${this.#hmac(this.#hmac(this.#salted, 'Server Key'), said).toString('base64')}`)
  }

  #hmac(key: Buffer, text: string): Buffer {
    return createHmac(this.#hash, key).update(text).digest()
  }
}
