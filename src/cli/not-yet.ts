import { environmentName } from './flags.ts'

/** A flag of upstream's flanneld that this version does not act upon. */
export interface MissingFlag {
  readonly name: string
  readonly isBoolean: boolean
  /** Whether this value asks for nothing that we lack, so that ignoring it is right. */
  readonly isHarmless: (text: string) => boolean
}

const OFF: ReadonlySet<string> = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False'])
const ON: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True'])

/** A switch; off, it asks for nothing. */
const feature = (name: string): MissingFlag => ({ name, isBoolean: true, isHarmless: (text) => OFF.has(text) })

/** Refines a feature that is refused by its own flag: alone it asks for nothing, whichever way it stands. */
const refinement = (name: string): MissingFlag => ({
  name,
  isBoolean: true,
  isHarmless: (text) => OFF.has(text) || ON.has(text),
})

/** Takes a value; what `harmless` matches asks for nothing. */
const setting = (name: string, harmless: RegExp): MissingFlag => ({
  name,
  isBoolean: false,
  isHarmless: (text) => harmless.test(text),
})

const NOTHING = /^$/
const WHOLE_NUMBER = /^\d{1,9}$/
const ANYTHING = /^/

/**
 * Flags of upstream's flanneld that this version knows by name but does not act upon yet. Where that would make a difference they are
 * refused rather than ignored; given as "off", or refining what is off, they are taken.
 */
export const NOT_YET: readonly MissingFlag[] = [
  setting('iface-regex', NOTHING),
  setting('iface-can-reach', NOTHING),
  setting('public-ipv6', NOTHING),
  feature('ip-masq'),
  refinement('ip-masq-fully-random-disable'),
  feature('ip-blackhole-route'),
  feature('iptables-forward-rules'),
  setting('iptables-resync', WHOLE_NUMBER),
  setting('healthz-ip', ANYTHING),
  setting('healthz-port', /^0+$/),
  feature('kube-subnet-mgr'),
  setting('kube-api-url', NOTHING),
  setting('kubeconfig-file', NOTHING),
  setting('kube-annotation-prefix', /^flannel\.alpha\.coreos\.com$/),
  setting('net-config-path', /^\/etc\/kube-flannel\/net-conf\.json$/),
  refinement('set-node-network-unavailable'),
]

/** @returns what the operator calls the first of these flags that asks for what we lack: `--ip-masq` or `FLANNELD_IP_MASQ` */
export function firstMissing(
  given: ReadonlyMap<string, readonly string[]>,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  for (const flag of NOT_YET) {
    const texts = given.get(flag.name)?.filter((text) => text !== '') ?? []
    const variable = environmentName(flag.name)
    const fromEnvironment = texts.length > 0 ? '' : (environment[variable] ?? '')
    if (texts.some((text) => !flag.isHarmless(text))) return `--${flag.name}`
    if (fromEnvironment !== '' && !flag.isHarmless(fromEnvironment)) return variable
  }
  return undefined
}
