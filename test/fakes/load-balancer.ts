// A load balancer: hands TCP connections on, each behind a PROXY header that says whose it is.

import net from 'node:net'

/** `from` is the address that headers name as the client's. */
export type Header = 'version 1' | 'version 2'

export interface LoadBalancer {
  readonly host: string
  /** For the connections to come. */
  header: Header
  from: string
  stop(): void
}

/**
 * Listens on `host`, on the same ports as the gate behind.
 * @param own the address that it connects from, by which the gate knows it
 */
export async function startLoadBalancer(host: string, own: string, behind: string, ports: readonly number[]): Promise<LoadBalancer> {
  const open = new Set<net.Socket>()
  const balancer = { host, header: 'version 1' as Header, from: '192.0.2.1', stop }
  const servers = ports.map(port =>
    net.createServer(client => {
      const gate = net.connect({ host: behind, port, localAddress: own })
      gate.write(headerOf(balancer.header, balancer.from, host, client.remotePort!, port))
      client.pipe(gate).pipe(client)
      for (const socket of [client, gate]) {
        open.add(socket)
        socket.on('error', () => {
          client.destroy()
          gate.destroy()
        })
        socket.on('close', () => open.delete(socket))
      }
    }),
  )
  await Promise.all(
    servers.map((server, i) => new Promise<void>((resolve, reject) => server.once('error', reject).listen(ports[i], host, resolve))),
  )
  function stop() {
    for (const server of servers) server.close()
    for (const socket of open) socket.destroy()
  }
  return balancer
}

/** As in the specification of the PROXY protocol, §2.1 and §2.2. */
function headerOf(header: Header, from: string, to: string, fromPort: number, toPort: number): Buffer {
  const v6 = net.isIPv6(from)
  if (header === 'version 1') return Buffer.from(`PROXY TCP${v6 ? 6 : 4} ${from} ${v6 ? '::1' : to} ${fromPort} ${toPort}\r\n`)
  const addresses = v6 ? Buffer.concat([bytesOf6(from), bytesOf6('::1')]) : Buffer.from([from, to].join('.').split('.').map(Number))
  const head = Buffer.from('0d0a0d0a000d0a515549540a21110000', 'hex')
  if (v6) head[13] = 0x21
  head.writeUInt16BE(addresses.length + 4, 14)
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(fromPort, 0)
  ports.writeUInt16BE(toPort, 2)
  return Buffer.concat([head, addresses, ports])
}

function bytesOf6(address: string): Buffer {
  const [left = '', right = ''] = address.split('::')
  const groups = (text: string) => text.split(':').filter(Boolean)
  const gap = 8 - groups(left).length - groups(right).length
  const all = [...groups(left), ...Array<string>(gap).fill('0'), ...groups(right)]
  return Buffer.from(all.map(group => group.padStart(4, '0')).join(''), 'hex')
}
