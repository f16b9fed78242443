import { ConfigError } from '../../config/error.ts'
import { isObject, parseJsonObject } from '../../config/json.ts'

/** What a network's list of plugins says that matters to whoever installs it (CNI specification, section 1). */
export interface PluginList {
  /** Programs that it needs in the folder of plugins, ours left out. */
  readonly needs: readonly string[]
}

/** The delegate and its address management where the list names none, as the plugin has them. */
const [DELEGATE, ADDRESSES] = ['bridge', 'host-local']
/** Runtimes call it for every container, whatever the list says. */
const ALWAYS = 'loopback'

/**
 * @param text of a file as `cni-conf.json`
 * @throws {ConfigError} naming the field, for what no runtime would take, or what has no plugin of ours
 */
export function readPluginList(path: string, text: string): PluginList {
  const fields = parseJsonObject(path, text)
  if (!fields.string('name')) throw new ConfigError(fields.path('name'), 'the name of the network', fields.raw('name'))
  const plugins = fields.raw('plugins')
  if (!Array.isArray(plugins) || !plugins.every(isObject))
    throw new ConfigError(fields.path('plugins'), 'an array of plugins', plugins)
  const types = plugins.map(({ type }) => type)
  const wrong = types.find((type) => typeof type !== 'string' || type === '' || /[/\0]/.test(type))
  if (wrong !== undefined || types.includes(undefined))
    throw new ConfigError(fields.path('plugins'), 'a "type" in each of them, the name of a program', wrong)
  const ours = plugins.find(({ type }) => type === 'flannel')
  if (ours === undefined) throw new ConfigError(fields.path('plugins'), 'one with the type "flannel"', types)
  const others = types.filter((type) => typeof type === 'string').filter((type) => type !== 'flannel')
  return { needs: [...new Set([...delegatesOf(ours), ...others, ALWAYS])] }
}

function delegatesOf(ours: Readonly<Record<string, unknown>>): readonly string[] {
  const typeIn = (field: string, usual: string): string => {
    const value = ours[field]
    return isObject(value) && typeof value['type'] === 'string' ? value['type'] : usual
  }
  return [typeIn('delegate', DELEGATE), typeIn('ipam', ADDRESSES)]
}

/** What runtimes take for the configuration of a network (libcni's ConfFiles). */
const CONFIGURATION = /\.(conf|conflist|json)$/

/**
 * Files that runtimes would read instead of this one: they take the first by name.
 * @param names of what stands in the folder
 */
export const namesBefore = (name: string, names: readonly string[]): readonly string[] =>
  names.filter((other) => CONFIGURATION.test(other) && Buffer.compare(Buffer.from(other), Buffer.from(name)) < 0).sort()
