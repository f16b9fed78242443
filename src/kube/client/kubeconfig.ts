import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import { ConfigError } from '../../config/error.ts'
import { isObject, JsonFields } from '../../config/json.ts'

/** Something that stands in the file itself, or in another. */
export type Material = { readonly data: Buffer } | { readonly file: string }

/** What a kubeconfig says of its current context. */
export interface Kubeconfig {
  /** URL of the API server. */
  readonly server: string
  readonly authority: Material | undefined
  /** Whether no certificate of a server is looked at. */
  readonly isInsecure: boolean
  /** The name that the server's certificate is to be for, instead of the host in its URL. */
  readonly serverName: string | undefined
  readonly certificate: Material | undefined
  readonly key: Material | undefined
  readonly token: Material | undefined
  readonly basic: { readonly username: string; readonly password: string } | undefined
}

export const KUBECONFIG_FLAG = '--kubeconfig-file'

/**
 * Reads a kubeconfig (Kubernetes documentation, reference "kubeconfig (v1)"): YAML, or JSON, which is YAML. Names of files are relative to its own folder.
 * @param path of the file
 * @param server URL to use instead of the cluster's; undefined: the cluster's
 * @throws {ConfigError} naming the field
 */
export function parseKubeconfig(text: string, path: string, server: string | undefined): Kubeconfig {
  const name = `${KUBECONFIG_FLAG} (${path})`
  const file = new JsonFields(name, parseYaml(text, name), new JsonFields('kubeconfig', {}))
  const current = file.string('current-context') ?? ''
  if (current === '') throw new ConfigError(file.path('current-context'), 'the name of a context', undefined)
  const context = entry(file, 'contexts', 'context', current)
  const cluster = entry(file, 'clusters', 'cluster', context.string('cluster') ?? '')
  const userName = context.string('user') ?? ''
  const user = userName === '' ? new JsonFields('user', {}, file) : entry(file, 'users', 'user', userName)
  refuse(cluster, 'proxy-url', 'no proxy, which this agent does not speak to')
  refuse(user, 'exec', 'a token, a token file or a client certificate: exec plugins are not supported')
  refuse(user, 'auth-provider', 'a token, a token file or a client certificate: auth providers are not supported')
  refuse(user, 'as', 'no impersonation, which is not supported')
  const folder = dirname(path)
  const username = user.string('username') ?? ''
  const url = server ?? cluster.string('server') ?? ''
  if (url === '') throw new ConfigError(cluster.path('server'), 'the URL of the API server', undefined)
  return {
    server: url,
    authority: material(cluster, 'certificate-authority', folder),
    isInsecure: cluster.boolean('insecure-skip-tls-verify') ?? false,
    serverName: cluster.string('tls-server-name'),
    certificate: material(user, 'client-certificate', folder),
    key: material(user, 'client-key', folder),
    token: tokenOf(user, folder),
    basic: username === '' ? undefined : { username, password: user.string('password') ?? '' },
  }
}

function parseYaml(text: string, name: string): unknown {
  try {
    const value: unknown = parse(text)
    return value
  } catch (error) {
    const [why = 'unreadable'] = error instanceof Error ? error.message.split('\n') : []
    throw new ConfigError(name, 'valid YAML', why.replace(/:$/, ''))
  }
}

/** The entry of this name in a list of named ones. @throws {ConfigError} */
function entry(file: JsonFields, list: string, kind: string, name: string): JsonFields {
  const all = file.raw(list)
  const entries: readonly unknown[] = Array.isArray(all) ? all : []
  const found = entries.find((one) => isObject(one) && one['name'] === name)
  if (found === undefined)
    throw new ConfigError(file.path(list), `one named ${JSON.stringify(name)}`, entries.filter(isObject).map(nameOf))
  return new JsonFields(kind, new JsonFields(list, found, file).raw(kind) ?? {}, file)
}

const nameOf = (one: Readonly<Record<string, unknown>>): unknown => one['name']

/** @throws {ConfigError} where the field says something */
function refuse(fields: JsonFields, name: string, expected: string): void {
  const value = fields.raw(name)
  if (value !== undefined && value !== '') throw new ConfigError(fields.path(name), expected, 'one')
}

/** What stands in the file counts before what stands in another, as with kubectl. */
function material(fields: JsonFields, name: string, folder: string): Material | undefined {
  const [data = '', file = ''] = [fields.string(`${name}-data`), fields.string(name)]
  if (data !== '') return { data: Buffer.from(data, 'base64') }
  return file === '' ? undefined : { file: resolve(folder, file) }
}

/** Of a token the file counts, which is replaced while we run. */
function tokenOf(user: JsonFields, folder: string): Material | undefined {
  const [token = '', file = ''] = [user.string('token'), user.string('tokenFile')]
  if (file !== '') return { file: resolve(folder, file) }
  return token === '' ? undefined : { data: Buffer.from(token) }
}
