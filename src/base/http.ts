// How HTTP servers of our own come up and go down: health, the admin API, the issuer for trying things out.

import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Resolves with the port. @throws when the address cannot be bound */
export function listen(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

/** Resolves when nobody is connected any more. */
export function close(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
