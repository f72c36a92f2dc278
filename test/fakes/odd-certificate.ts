// A certificate as only somebody who means harm makes it: its first date cannot be read.

import { readFileSync, writeFileSync } from 'node:fs'
import type { Certificate } from '../../scripts/stack/certificates.ts'

/** Writes over the certificate: OpenSSL still shows it, and whoever verifies it finds fault with more than its dates. */
export function spoilDate({ cert }: Pick<Certificate, 'cert'>): void {
  const text = readFileSync(cert, 'utf8')
  const [begin, end] = ['-----BEGIN CERTIFICATE-----', '-----END CERTIFICATE-----']
  const der = Buffer.from(text.slice(text.indexOf(begin) + begin.length, text.indexOf(end)), 'base64')
  // UTCTime of thirteen characters: the first in a certificate is notBefore (RFC 5280 §4.1.2.5).
  const at = der.indexOf(Buffer.from([0x17, 0x0d]))
  der.write('20010100000AZ', at + 2, 'latin1')
  writeFileSync(cert, `${begin}\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n${end}\n`)
}
