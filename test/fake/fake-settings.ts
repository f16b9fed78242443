import type { SettingName } from '../../src/host/sysctl.ts'

/** Those of a host that forwards, by their paths below /proc/sys. */
const OF_HOST: readonly (readonly [string, string])[] = [
  ['net/ipv4/ip_forward', '1'],
  ['net/ipv6/conf/all/forwarding', '1'],
]
/** What each interface has, and what it has at first. */
const OF_LINK: Readonly<Record<string, string>> = {
  'ipv4 forwarding': '1',
  'ipv6 accept_ra': '1',
  'ipv6 disable_ipv6': '0',
}

/** Kernel settings in memory: there are those of the host, and of each interface that is there, and no others (ENOENT). */
export class FakeSettings {
  readonly #hasLink: (name: string) => boolean
  readonly #values = new Map(OF_HOST)

  constructor(hasLink: (name: string) => boolean) {
    this.#hasLink = hasLink
  }

  /** What somebody else makes of it. */
  set(path: string, value: string): void {
    this.#values.set(path, value)
  }

  /** What has been made of it; undefined: nothing. */
  get(path: string): string | undefined {
    return this.#values.get(path)
  }

  readonly readSysctl = (name: SettingName): Promise<string | undefined> => {
    const [net, protocol = '', conf, link = '', setting = ''] = name
    const first = OF_LINK[`${protocol} ${setting}`]
    if (net !== 'net' || conf !== 'conf' || first === undefined || link === 'all')
      return Promise.resolve(this.#values.get(name.join('/')))
    return Promise.resolve(this.#hasLink(link) ? (this.#values.get(name.join('/')) ?? first) : undefined)
  }

  readonly setSysctl = async (name: SettingName, value: string): Promise<void> => {
    if ((await this.readSysctl(name)) === undefined)
      throw Object.assign(new Error(`ENOENT: no such file or directory, open '${name.join('/')}'`), { code: 'ENOENT' })
    this.#values.set(name.join('/'), value)
  }
}
