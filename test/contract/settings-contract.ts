import { beforeEach, describe, expect, it } from 'vitest'
import {
  forwardingName,
  isOn,
  isOnFrom,
  nameOfForwardingFrom,
  turnOn,
  turnOnFrom,
  type ForwardingPorts,
} from '../../src/host/forwarding.ts'

/** A host with its settings, real or in memory. */
export interface SettingsHarness {
  readonly ports: ForwardingPorts
  /** Makes an interface whose IPv4 forwarding is off. */
  addLink(name: string): Promise<void>
  removeLink(name: string): Promise<void>
}

/** What {@link ForwardingPorts} are relied on for, whoever implements them. */
export function settingsContract(makeHarness: () => SettingsHarness): void {
  describe('kernel settings', () => {
    const { signal } = new AbortController()
    const link = `s${process.pid % 10_000}.100`
    let host: SettingsHarness

    beforeEach(() => {
      host = makeHarness()
    })

    it('of the host are there, and forward once they are turned on', async () => {
      for (const family of [4, 6] as const) {
        await turnOn(family, host.ports, signal)
        expect([forwardingName(family), await isOn(family, host.ports)]).toEqual([forwardingName(family), true])
      }
    })

    it('of an interface come and go with it, also where its name has a dot', async () => {
      expect(await isOnFrom(link, host.ports)).toBeUndefined()
      await host.addLink(link)
      expect(await isOnFrom(link, host.ports)).toBe(false)
      await turnOnFrom(link, host.ports)
      expect(await isOnFrom(link, host.ports)).toBe(true)
      await host.removeLink(link)
      expect(await isOnFrom(link, host.ports)).toBeUndefined()
    })

    it('of what is not there cannot be made so', async () => {
      await expect(turnOnFrom(link, host.ports)).rejects.toMatchObject({ code: 'ENOENT' })
      await expect(host.ports.setSysctl(['net', 'ipv6', 'conf', link, 'accept_ra'], '0')).rejects.toMatchObject({
        code: 'ENOENT',
      })
      expect(nameOfForwardingFrom(link)).toBe(`net.ipv4.conf.${link.replace('.', '/')}.forwarding`)
    })
  })
}
