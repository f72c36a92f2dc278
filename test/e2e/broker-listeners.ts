// How brokers of tests are secured: the properties of their listeners, as people write them into server.properties.

import type { Certificate } from '../../scripts/stack/certificates.ts'

const jaas = (module: string, rest = '') => `org.apache.kafka.common.security.${module} required${rest};`

/** A key store of a broker's own, and whom it trusts. */
export const tlsOf = ({ store }: Pick<Certificate, 'store'>, ca: string): Record<string, string> => ({
  'ssl.keystore.type': 'PEM',
  'ssl.keystore.location': store,
  'ssl.truststore.type': 'PEM',
  'ssl.truststore.location': ca,
})

/** Clients must have a certificate. */
export const MUTUAL = { 'ssl.client.auth': 'required' }

/** SASL/PLAIN for one user, whose password is the name. */
export const plainOf = (user: string): Record<string, string> => ({
  'plain.sasl.jaas.config': jaas('plain.PlainLoginModule', ` user_${user}="${user}"`),
})

export const SCRAM = {
  'scram-sha-256.sasl.jaas.config': jaas('scram.ScramLoginModule'),
  'scram-sha-512.sasl.jaas.config': jaas('scram.ScramLoginModule'),
}

/** Tokens of one issuer, checked by its published keys. */
export const oauthOf = (issuer: string, jwksUrl: string): Record<string, string> => ({
  'oauthbearer.sasl.server.callback.handler.class': 'org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler',
  'oauthbearer.sasl.jaas.config': jaas('oauthbearer.OAuthBearerLoginModule'),
  'sasl.oauthbearer.jwks.endpoint.url': jwksUrl,
  'sasl.oauthbearer.expected.issuer': issuer,
  'sasl.oauthbearer.expected.audience': 'kafka',
})

export const mechanisms = (...names: string[]): Record<string, string> => ({ 'sasl.enabled.mechanisms': names.join() })

/** What the JVM of a broker must be told before it fetches keys from there. */
export const mayFetch = (jwksUrl: string): string => `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${jwksUrl}`
