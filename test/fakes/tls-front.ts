// TLS before a broker that speaks none, with a certificate that can be replaced while it runs.

import { readFileSync } from 'node:fs'
import net from 'node:net'
import tls from 'node:tls'
import type { Certificate } from '../../scripts/stack/certificates.ts'

export class TlsFront {
  port = 0
  readonly #server: tls.Server
  readonly #open = new Set<net.Socket>()

  private constructor(behind: number, certificate: Certificate) {
    this.#server = tls.createServer(filesOf(certificate), socket => {
      const broker = net.connect(behind, '127.0.0.1')
      for (const end of [socket, broker]) {
        this.#open.add(end)
        end.on('error', () => undefined)
        end.on('close', () => this.#open.delete(end))
      }
      socket.on('close', () => broker.destroy())
      socket.pipe(broker).pipe(socket)
    })
    this.#server.on('tlsClientError', () => undefined)
  }

  /** @param behind the port on this machine of who speaks no TLS */
  static async start(behind: number, certificate: Certificate): Promise<TlsFront> {
    const front = new TlsFront(behind, certificate)
    await new Promise<void>(resolve => front.#server.listen(0, '127.0.0.1', resolve))
    front.port = (front.#server.address() as net.AddressInfo).port
    return front
  }

  /** For connections from now on. */
  present(certificate: Certificate): void {
    this.#server.setSecureContext(filesOf(certificate))
  }

  /** Ends all connections. */
  drop(): void {
    for (const socket of this.#open) socket.destroy()
  }

  async stop(): Promise<void> {
    this.drop()
    await new Promise(resolve => this.#server.close(resolve))
  }
}

const filesOf = ({ key, cert }: Certificate) => ({ key: readFileSync(key), cert: readFileSync(cert) })
