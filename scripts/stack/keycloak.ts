// A real Keycloak with the realm of docker/keycloak/realm.json, built and imported once, started from a copy of that database.

import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { once, run, say } from './cache.ts'
import { maven, pom } from './jars.ts'
import { dataFolder, onFreePorts, type Part, startPart, untilReady } from './part.ts'
import { versions } from './versions.ts'

export interface Keycloak {
  readonly url: string
  /** The issuer of the realm's tokens. */
  readonly issuer: string
  readonly tokenEndpoint: string
  /** An access token of a service, by client credentials. */
  serviceToken(clientId: string, clientSecret: string): Promise<string>
  /** An access token of a person, by password (which is the name) through the client kafka-cli. */
  personToken(username: string): Promise<string>
  /** One call of the admin API, below the realm. @throws {Error} when the answer is not a success. */
  admin(method: string, path: string, body?: unknown): Promise<unknown>
  stop(): Promise<void>
}

const realmFile = join(import.meta.dirname, '..', '..', 'docker', 'keycloak', 'realm.json')
/** The realm of docker/keycloak/realm.json. */
export const REALM = 'topicgate'
const ADMIN = 'admin'
const READY_TIMEOUT_MS = 180_000
/** Keycloak takes its folder from the place of its script, so a run has scripts and data of its own and shares the rest. */
const SHARED = ['lib', 'providers', 'themes', 'conf', 'version.txt']
/** How Keycloak's first administrator is called, and how small it runs. */
export const keycloakEnvironment = {
  KC_BOOTSTRAP_ADMIN_USERNAME: ADMIN,
  KC_BOOTSTRAP_ADMIN_PASSWORD: ADMIN,
  JAVA_OPTS_KC_HEAP: '-Xms64m -Xmx384m',
  JAVA_OPTS_APPEND: '-XX:TieredStopAtLevel=1',
}

/** Starts Keycloak and returns once the realm answers. */
export async function startKeycloak(): Promise<Keycloak> {
  const image = await preparedKeycloak()
  const folder = dataFolder('keycloak')
  const { part, url } = await onFreePorts(2, ports => launch(image, folder, ports))
  return keycloakAt(url, () => part.kill())
}

/** A Keycloak that somebody started at this address. */
export function keycloakAt(url: string, stop: () => Promise<void> = async () => {}): Keycloak {
  const issuer = `${url}/realms/${REALM}`
  const tokenEndpoint = `${issuer}/protocol/openid-connect/token`
  return {
    url,
    issuer,
    tokenEndpoint,
    serviceToken: (clientId, clientSecret) =>
      token(tokenEndpoint, { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret }),
    personToken: username => token(tokenEndpoint, { grant_type: 'password', client_id: 'kafka-cli', username, password: username }),
    admin: (method, path, body) => admin(url, method, path, body),
    stop,
  }
}

/** Keycloak unpacked and built; its database holds the realm. A new version or a changed realm makes a new one. */
export async function preparedKeycloak(): Promise<string> {
  const realmHash = createHash('sha256').update(readFileSync(realmFile)).digest('hex').slice(0, 12)
  const built = await once(`keycloak-${versions.keycloak}`, `Keycloak ${versions.keycloak}`, build)
  return once(`keycloak-${versions.keycloak}-realm-${realmHash}`, 'Keycloak realm', draft => importRealm(built, draft))
}

async function build(draft: string): Promise<void> {
  writeFileSync(join(draft, 'pom.xml'), pom('keycloak', unpack()))
  await maven(draft, 'dependency:unpack')
  const unpacked = join(draft, `keycloak-${versions.keycloak}`)
  say('Keycloak: building')
  await run(join(unpacked, 'bin', 'kc.sh'), ['build', '--db=dev-file', '--health-enabled=true'])
  for (const name of ['bin', ...SHARED]) renameSync(join(unpacked, name), join(draft, name))
  rmSync(unpacked, { recursive: true })
}

function unpack(): string {
  const item = `<artifactItem><groupId>org.keycloak</groupId><artifactId>keycloak-quarkus-dist</artifactId><version>${versions.keycloak}</version><type>zip</type><outputDirectory>.</outputDirectory></artifactItem>`
  return `<build><plugins><plugin><groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId><configuration><artifactItems>${item}</artifactItems></configuration></plugin></plugins></build>`
}

async function importRealm(built: string, draft: string): Promise<void> {
  linkShared(built, draft)
  mkdirSync(join(draft, 'data', 'import'), { recursive: true })
  cpSync(realmFile, join(draft, 'data', 'import', 'realm.json'))
  const { part } = await onFreePorts(2, ports => launch(draft, undefined, ports, '--import-realm'))
  await part.stop()
}

function linkShared(from: string, to: string): void {
  cpSync(join(from, 'bin'), join(to, 'bin'), { recursive: true })
  for (const name of SHARED) symlinkSync(join(from, name), join(to, name))
}

/** Runs Keycloak in `image` itself, or in a copy of it when `folder` is given. */
async function launch(
  image: string,
  folder: string | undefined,
  [port, managementPort]: readonly number[],
  ...options: string[]
): Promise<{ part: Part; url: string }> {
  const home = folder ? join(folder, `home-${port}`) : image
  if (folder) {
    mkdirSync(home)
    cpSync(image, home, { recursive: true, verbatimSymlinks: true })
  }
  const url = `http://127.0.0.1:${port}`
  const addresses = ['--http-host=127.0.0.1', `--http-port=${port}`, `--http-management-port=${managementPort}`]
  const args = ['start', '--optimized', ...options, '--cache=local', '--http-enabled=true', '--hostname-strict=false', ...addresses]
  const part = startPart('keycloak', join(home, 'bin', 'kc.sh'), args, {
    folder: folder ?? dataFolder('keycloak-import'),
    env: keycloakEnvironment,
  })
  try {
    // HTTP listens before the realm is there, so the realm itself is asked.
    await untilReady(part, async () => (await fetch(`${url}/realms/${REALM}/.well-known/openid-configuration`)).ok, READY_TIMEOUT_MS)
  } catch (error) {
    await part.kill()
    throw error
  }
  return { part, url }
}

async function token(endpoint: string, form: Record<string, string>): Promise<string> {
  const response = await fetch(endpoint, { method: 'POST', body: new URLSearchParams(form) })
  const answer = (await response.json()) as { access_token?: string; error_description?: string }
  if (!answer.access_token)
    throw new Error(`no token for ${form['username'] ?? form['client_id']}: ${answer.error_description ?? response.status}`)
  return answer.access_token
}

async function admin(url: string, method: string, path: string, body: unknown): Promise<unknown> {
  const form = { grant_type: 'password', client_id: 'admin-cli', username: ADMIN, password: ADMIN }
  const bearer = await token(`${url}/realms/master/protocol/openid-connect/token`, form)
  const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' }
  const payload = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(`${url}/admin/realms/${REALM}${path}`, { method, headers, body: payload })
  const text = await response.text()
  if (!response.ok) throw new Error(`Keycloak answered ${response.status} to ${method} ${path}: ${text}`)
  return text ? JSON.parse(text) : undefined
}
