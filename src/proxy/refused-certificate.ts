// The dates of a broker's certificate that was not accepted, read from the handshake that failed: nothing is dialled again to name them.

import type { Socket } from 'node:net'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import { addressText } from '../base/config-address.ts'
import { clip, validText } from '../base/text.ts'
import type { Address } from './hello.ts'

/** Node tells of what it verifies only when the certificate has gone with its connection. Without this secret each is looked at. */
interface Verifying {
  readonly _handle: { verifyError?(): Error | null | undefined } | null
}

/** Whoever answers there may call himself anything. */
const MAX_NAME = 128

/** Calls `told` with the error of a socket whose broker has shown a certificate that is over or has not begun, before others hear of it. */
export function onWrongDates(socket: Socket, at: Address, told: (error: Error, dates: string) => void): void {
  const secured = socket as TLSSocket
  let dates: string | null = null
  secured.prependOnceListener('secure', () => {
    const handle = (secured as unknown as Verifying)._handle
    try {
      if (typeof handle?.verifyError !== 'function' || handle.verifyError()) dates = wrongDates(secured.getPeerCertificate(true), at)
    } catch {
      // Without dates the reason is still told.
    }
  })
  secured.prependOnceListener('error', (error: NodeJS.ErrnoException) => {
    const isOfDates = error.code === 'CERT_HAS_EXPIRED' || error.code === 'CERT_NOT_YET_VALID'
    if (isOfDates && dates !== null) told(error, dates)
  })
}

/** Of the first certificate that is not good today, from the broker's own up to the authority; null: all are. */
function wrongDates(own: DetailedPeerCertificate, { host, port }: Address): string | null {
  const broker = addressText(host, port)
  const seen = new Set<DetailedPeerCertificate>()
  // An authority has issued itself.
  for (let one = own; one !== undefined && !seen.has(one); one = one.issuerCertificate) {
    seen.add(one)
    const [from, to] = [new Date(one.valid_from), new Date(one.valid_to)]
    if (!(from.getTime() > Date.now() || to.getTime() < Date.now())) continue
    const whose = one === own ? `of ${broker}` : `of ${clip(String(one.subject?.CN ?? 'an authority'), MAX_NAME)}, above that of ${broker},`
    return `the certificate ${whose} is ${validText(from, to)}`
  }
  return null
}
