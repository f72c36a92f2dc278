// Certificates for runs: an authority of its own and what it signs, made by openssl in a folder.

import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './cache.ts'

/** PEM files of a certificate and its key. */
export interface Certificate {
  readonly cert: string
  readonly key: string
  /** Key, certificate and authority in one file, as Kafka wants its PEM key store. */
  readonly store: string
}

export interface CertificateOptions {
  /** `DNS:localhost`, `IP:127.0.0.1`: what the holder may be called. */
  readonly names?: readonly string[]
  /** Over since 2020. */
  readonly expired?: boolean
  /** It may sign others: `authorityOf` does so in its name. */
  readonly signs?: boolean
}

export interface Authority {
  /** The PEM file of the authority's certificate. */
  readonly ca: string
  /** @param name the subject's common name, and the stem of the files; a name that was used before is overwritten */
  issue(name: string, options?: CertificateOptions): Promise<Certificate>
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** Makes an authority whose files lie in `folder`. */
export async function makeAuthority(folder: string, name = 'authority'): Promise<Authority> {
  const ca = join(folder, `${name}.pem`)
  const caKey = join(folder, `${name}.key`)
  await run('openssl', ['req', '-x509', ...EC, '-keyout', caKey, '-out', ca, '-days', '30', '-subj', `/CN=${name}`])
  return authorityOf(folder, name)
}

/** Signs with the certificate and key of this name that lie in `folder`. */
export function authorityOf(folder: string, name: string): Authority {
  const ca = join(folder, `${name}.pem`)
  const caKey = join(folder, `${name}.key`)
  const config = join(folder, `${name}.cnf`)
  writeFileSync(join(folder, `${name}.index`), '')
  writeFileSync(config, ledger(folder, name))
  let serial = 1
  return {
    ca,
    async issue(subject, { names = [], expired = false, signs = false } = {}) {
      const key = join(folder, `${subject}.key`)
      const request = join(folder, `${subject}.csr`)
      const cert = join(folder, `${subject}.pem`)
      const extensions = join(folder, `${subject}.ext`)
      await run('openssl', ['req', '-new', ...EC, '-keyout', key, '-out', request, '-subj', `/CN=${subject}`])
      writeFileSync(
        extensions,
        `basicConstraints=CA:${signs ? 'TRUE' : 'FALSE'}\n${names.length > 0 ? `subjectAltName=${names.join(',')}\n` : ''}`,
      )
      writeFileSync(join(folder, `${name}.serial`), (16 + serial++).toString(16))
      const dates = expired ? ['-startdate', '20200101000000Z', '-enddate', '20200201000000Z'] : ['-days', '30']
      const signing = ['-config', config, '-batch', '-notext', '-cert', ca, '-keyfile', caKey, '-in', request, '-out', cert]
      await run('openssl', ['ca', ...signing, '-extfile', extensions, ...dates])
      const store = join(folder, `${subject}.store.pem`)
      writeFileSync(store, readFileSync(key))
      for (const file of [cert, ca]) appendFileSync(store, readFileSync(file))
      return { cert, key, store }
    },
  }
}

/** What `openssl ca` wants to have written down; only it can date a certificate back. */
function ledger(folder: string, name: string): string {
  return `[ca]
default_ca = this
[this]
new_certs_dir = ${folder}
database = ${join(folder, `${name}.index`)}
serial = ${join(folder, `${name}.serial`)}
default_md = sha256
unique_subject = no
policy = any
[any]
commonName = supplied
`
}
