import { CNI_CODES, CniError } from './errors.ts'

/** Versions of the protocol that we speak. What the delegate speaks is its own affair: it is given the same version and refuses it itself. */
const SUPPORTED = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const

/** Meant by a configuration that names none (CNI specification, "Network configuration"). */
const UNNAMED = '0.1.0'

export const LATEST_VERSION = SUPPORTED[SUPPORTED.length - 1] ?? UNNAMED

/** Commands that came later than the protocol itself. */
const SINCE: ReadonlyMap<string, string> = new Map([
  ['CHECK', '0.4.0'],
  ['STATUS', '1.1.0'],
  ['GC', '1.1.0'],
])

const rank = (version: string): number => SUPPORTED.findIndex((supported) => supported === version)

export const isSupported = (version: string): boolean => rank(version) >= 0

/** @throws {CniError} 1 when we do not speak the version, or it does not have the command yet */
export function checkVersion(version: string, command: string): void {
  const named = version === '' ? UNNAMED : version
  if (!isSupported(named))
    throw new CniError(
      CNI_CODES.incompatibleVersion,
      'incompatible CNI version',
      `the network configuration has cniVersion ${JSON.stringify(named)}, the plugin speaks ${SUPPORTED.join(', ')}`,
    )
  const since = SINCE.get(command)
  if (since !== undefined && rank(named) < rank(since))
    throw new CniError(
      CNI_CODES.incompatibleVersion,
      `CNI version ${named} has no ${command}`,
      `cniVersion of the network configuration must be at least ${since}`,
    )
}

/** The answer to VERSION. `asked` is the version the runtime speaks, if it said so. */
export function describeVersions(asked: string): string {
  const cniVersion = isSupported(asked) ? asked : LATEST_VERSION
  return JSON.stringify({ cniVersion, supportedVersions: SUPPORTED })
}
