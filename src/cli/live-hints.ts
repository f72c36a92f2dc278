// What to mend where `topicgate validate --live` has found something wrong: by what was said, in rows; the first that fits.

type Hints = readonly (readonly [RegExp, string])[]

/** By what Node, brokers and the issuer of the gate's own token say. */
const BROKER: Hints = [
  [/which is not installed/, 'it does not come with topicgate'],
  [/Could not (load|resolve) credentials/, 'give the gate AWS credentials: the environment, a profile, or a role of the machine'],
  [
    /no token.*(AccessDenied|not authorized|InvalidClientTokenId|ExpiredToken)/,
    'the credentials may not do this: look at the trust policy of cluster.sasl.role',
  ],
  [/no token.*cannot be reached/, 'cluster.sasl: is tokenUrl or issuer right, and is it up?'],
  [
    /no token.*(invalid_client|unauthorized_client|answered 401)/,
    'cluster.sasl: clientId, or clientSecret or privateKey, is not what the issuer knows',
  ],
  [/no token.*invalid_scope/, 'cluster.sasl: the issuer has no such scope for this clientId'],
  [/no token/, 'mend cluster.sasl: token endpoint, client id, and secret or key'],
  [/ENOTFOUND|EAI_AGAIN/, 'is the name right, and does this machine resolve it?'],
  [/ECONNREFUSED/, 'nothing listens there: is it the right port, and is the broker up?'],
  [/ETIMEDOUT|within \d+ ms/, 'a firewall may drop it, or the broker does not answer'],
  [/unable to (verify|get)|self-signed|UNABLE_TO/i, 'cluster.tls.ca must hold the authority that signed the certificate'],
  [/altnames|ALTNAME/i, 'cluster.tls.serverName names what stands in the certificate'],
  [/expired/i, 'renew the certificate'],
  [/wrong version number|packet length/i, 'the port does not speak TLS: tls: off, or another port'],
  [/alert.*(certificate|unknown ca)|certificate required/i, 'the broker wants a certificate that it knows: cluster.tls.cert and key'],
  [/has no .* here, but/, 'set cluster.sasl.mechanism to one that the broker has'],
  [
    /refused the login by OAUTHBEARER/,
    'the broker does not take the token: look at its issuer, audience and scope, and at what the broker demands',
  ],
  [/refused the login|no such account|SCRAM/i, 'mend cluster.sasl (for PASSTHROUGH cluster.control.sasl), or the account at the broker'],
  [/closed the connection/, 'a TLS port that is spoken to in plain text closes so, and a broker that wants a login or another certificate'],
]

const UNREACHABLE = /ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|UND_ERR|aborted due to timeout/
const UNTRUSTED = /unable to (verify|get)|self[- ]signed|UNABLE_TO|SELF_SIGNED/i
const AUTHORITIES = 'the authority that signed its certificate is not known to Node: NODE_EXTRA_CA_CERTS=FILE names more'

/** What issuers say that tokens of clients come from. */
const ISSUER: Hints = [
  [UNREACHABLE, 'issuers: is issuer (or jwks) right, is it up, and does this machine reach it?'],
  [UNTRUSTED, AUTHORITIES],
  [/says issuer/, 'issuers: issuer is what its discovery document and its tokens call it, to the letter'],
  [
    /answered 404/,
    'issuers: nothing is at this path; Keycloak has a realm in it (…/realms/NAME), and without discovery jwks names the keys',
  ],
  [/answered \d+/, 'the issuer, or what stands before it, does not give out its keys: look at its log'],
  [/./, 'issuers: what is there is no issuer that publishes its keys: look at issuer and jwks'],
]

/** What OpenFGA says. */
const STORE: Hints = [
  [UNREACHABLE, 'authorizer.openfga.url: is it right, is OpenFGA up, and does this machine reach it?'],
  [UNTRUSTED, AUTHORITIES],
  [/answered 40[13]/, 'authorizer.openfga.token is not one that OpenFGA takes'],
  [
    /Store ID not found|StoreId/,
    'authorizer.openfga.store is no store of this server: topicgate policy init-store makes one, and prints its id',
  ],
  [
    /Authorization Model '.*' not found|AuthorizationModelRequest/,
    'authorizer.openfga.model is no model of this store; left out, the newest is used',
  ],
  [/answered 5\d\d/, 'OpenFGA, or what stands before it, is not well: look at its log'],
  [/has no/, 'topicgate policy init-store --store ID gives the store the model that comes with the gate'],
  [/./, 'authorizer.openfga.url: what answers there does not answer as OpenFGA does'],
]

const hintOf =
  (hints: Hints) =>
  (problem: string): string | null =>
    hints.find(([pattern]) => pattern.test(problem))?.[1] ?? null
export const brokerHint = hintOf(BROKER)
export const issuerHint = hintOf(ISSUER)
export const storeHint = hintOf(STORE)
