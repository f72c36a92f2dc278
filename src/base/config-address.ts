// Addresses as the configuration writes them.

import { isIPv4, isIPv6 } from 'node:net'

export interface Address {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
}

/** `host:port`, `[::1]:port`. */
export function readAddress(text: string): Address {
  const colon = text.lastIndexOf(':')
  return { host: withoutBrackets(text.slice(0, colon)), port: Number(text.slice(colon + 1)) }
}

export const withoutBrackets = (host: string): string => host.replace(/^\[|\]$/g, '')

/** As people and URLs write it. */
export const addressText = (host: string, port: number): string => (isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`)

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

export const isWildcard = (host: string): boolean => host === '0.0.0.0' || (isIPv6(host) && /^[0:]+$/.test(host)) || host === '*'
