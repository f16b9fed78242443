import { environmentName, parseBoolean } from './flag.ts'

/** A flag of `flanneld` that this version does not act upon. */
export interface MissingFlag {
  readonly name: string
  /** Whether this value asks for nothing that we lack, so that ignoring it is right. */
  readonly isHarmless: (text: string) => boolean
}

/** A switch; off, it asks for nothing. */
const feature = (name: string): MissingFlag => ({ name, isHarmless: (text) => parseBoolean(text) === false })

/** Refines a feature that is refused by its own flag: alone it asks for nothing, whichever way it stands. */
const refinement = (name: string): MissingFlag => ({ name, isHarmless: (text) => parseBoolean(text) !== undefined })

/** Takes a value; what `harmless` matches asks for nothing. */
const setting = (name: string, harmless: RegExp): MissingFlag => ({ name, isHarmless: (text) => harmless.test(text) })

const NOTHING = /^$/

/**
 * Flags that this version reads but does not act upon yet. Where that would make a difference they are refused rather than ignored;
 * given as "off", or refining what is off, they are taken. Whoever acts upon one takes it out of here.
 */
export const NOT_YET: readonly MissingFlag[] = [
  feature('kube-subnet-mgr'),
  setting('kube-api-url', NOTHING),
  setting('kubeconfig-file', NOTHING),
  setting('kube-annotation-prefix', /^flannel\.alpha\.coreos\.com$/),
  setting('net-config-path', /^\/etc\/kube-flannel\/net-conf\.json$/),
  refinement('set-node-network-unavailable'),
]

const NAMES: ReadonlySet<string> = new Set(NOT_YET.map(({ name }) => name))

export const isNotYet = (name: string): boolean => NAMES.has(name)

/** What the operator has asked for: `--ip-masq` or `FLANNELD_IP_MASQ`, and its value. */
export interface Missed {
  readonly source: string
  readonly text: string
}

/** @returns the first of these flags that asks for what we lack */
export function firstMissing(
  lacking: readonly MissingFlag[],
  given: ReadonlyMap<string, readonly string[]>,
  environment: Readonly<Record<string, string | undefined>>,
): Missed | undefined {
  for (const flag of lacking) {
    const texts = given.get(flag.name)?.filter((text) => text !== '') ?? []
    const variable = environmentName(flag.name)
    const fromEnvironment = texts.length > 0 ? '' : (environment[variable] ?? '')
    const text = texts.find((candidate) => !flag.isHarmless(candidate))
    if (text !== undefined) return { source: `--${flag.name}`, text }
    if (fromEnvironment !== '' && !flag.isHarmless(fromEnvironment)) return { source: variable, text: fromEnvironment }
  }
  return undefined
}
