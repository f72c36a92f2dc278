// The gate's own tokens for the brokers, as the configuration describes them: one source a credential, with its files.

import { missingSigner, signForMsk } from '../auth/msk-iam.ts'
import { askTokenEndpoint, OwnTokens } from '../auth/own-token.ts'
import type { Config } from '../base/config.ts'
import type { BrokerSasl } from '../base/config-cluster.ts'
import { InvalidFileError } from '../base/errors.ts'
import { WatchedFiles } from '../base/watched-files.ts'
import { YamlFile } from '../base/yaml.ts'

export interface OwnTokenSource {
  readonly tokens: OwnTokens
  stop(): void
}

/** null: this login needs no token of the gate's own. @throws when a file cannot be read */
export function ownTokenSource(sasl: BrokerSasl | null): OwnTokenSource | null {
  if (sasl?.mechanism === 'AWS_MSK_IAM') {
    return { tokens: new OwnTokens(() => signForMsk(sasl)), stop: () => undefined }
  }
  if (sasl?.mechanism !== 'OAUTHBEARER') return null
  const { clientSecret, privateKey } = sasl
  const files = new WatchedFiles(
    [clientSecret?.file, privateKey].filter(file => typeof file === 'string'),
    () => tokens.forget(),
  )
  const tokens = new OwnTokens(() =>
    askTokenEndpoint({
      ...sasl,
      secret: () => {
        if (clientSecret === null) return null
        return clientSecret.file === null ? clientSecret.value : files.text(clientSecret.file).replace(/\r?\n$/, '')
      },
      privateKey: () => (privateKey === null ? null : files.text(privateKey)),
    }),
  )
  return { tokens, stop: () => files.stop() }
}

/** @throws {InvalidFileError} at the login that wants tokens signed for Amazon MSK, when nothing here can sign them */
export function demandSigner(config: Config): void {
  const missing = signsForMsk(config) ? missingSigner() : null
  if (missing === null) return
  const yaml = new YamlFile(config.file)
  const path = isMsk(config.cluster.sasl) ? ['cluster', 'sasl'] : ['cluster', 'control', 'sasl']
  yaml.complain([...path, 'mechanism'], missing.problem, missing.hint)
  throw new InvalidFileError(yaml.problems)
}

export const signsForMsk = ({ cluster }: Config): boolean => isMsk(cluster.sasl) || isMsk(cluster.controlSasl)
const isMsk = (sasl: BrokerSasl | null): boolean => sasl?.mechanism === 'AWS_MSK_IAM'
