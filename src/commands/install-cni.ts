import { join } from 'node:path'
import { installCni, type Installation } from '../cni/install/install.ts'
import { readCommand } from '../cli/command/spec.ts'
import type { CommandCall } from '../cli/commands.ts'
import { EXIT } from '../cli/exit-codes.ts'
import type { FlagReader } from '../cli/flag.ts'
import { BIN_DIR, CONF, CONF_DIR, CONF_NAME, INSTALL_CNI, PLUGIN, SKIP_CONF } from '../cli/specs/install-cni.ts'
import { ConfigError } from '../config/error.ts'
import { isExecutable } from '../host/executable.ts'
import { printable } from '../text/printable.ts'
import { endWithOutput } from './output.ts'

/** `flanneld install-cni`. */
export async function run({ args, environment, stopSignal }: CommandCall): Promise<number> {
  const reading = readCommand(INSTALL_CNI, args, environment)
  if (reading.kind === 'print') return endWithOutput(reading.text, EXIT.done, stopSignal)
  const installation = installationOf(reading.value)
  try {
    const { done, warnings } = await installCni(installation)
    for (const warning of warnings) complain(warning)
    return await endWithOutput(done.map((line) => `${printable(line)}\n`).join(''), EXIT.done, stopSignal)
  } catch (error) {
    if (error instanceof ConfigError || !(error instanceof Error)) throw error
    complain(`${error.message}${cureFor(error)}`)
    return EXIT.failed
  }
}

function installationOf(value: FlagReader): Installation {
  const name = value(CONF_NAME)
  if (!/^[^/\0]+\.(conf|conflist|json)$/.test(name))
    throw new ConfigError('--conf-name', 'the name of a file that ends in .conflist, .conf or .json', name)
  const list = value(SKIP_CONF) ? undefined : { source: value(CONF), target: join(value(CONF_DIR), name) }
  return { plugin: value(PLUGIN) ?? ownExecutable(), binDir: value(BIN_DIR), list }
}

/** @throws {ConfigError} where this is a bundle, and the program is Node */
function ownExecutable(): string {
  if (isExecutable()) return process.execPath
  throw new ConfigError('--plugin', 'the executable flanneld, for this one is run by Node', undefined)
}

const CURES: ReadonlyMap<string, string> = new Map([
  ['EROFS', '; choose a folder that can be written to (--bin-dir, --conf-dir)'],
  ['EACCES', '; it takes root, and where SELinux is enforcing a context that may write there'],
  ['EPERM', '; it takes root, and where SELinux is enforcing a context that may write there'],
  ['ENOSPC', '; the plugin takes about 110 MB there'],
])

function cureFor(error: Error): string {
  return 'code' in error ? (CURES.get(String(error.code)) ?? '') : ''
}

function complain(text: string): void {
  process.stderr.write(`flanneld install-cni: ${printable(text)}\n`)
}
