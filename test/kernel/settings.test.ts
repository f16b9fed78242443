import { existsSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { bridgeEscape } from '../../src/host/forwarding.ts'
import { readSysctl, setSysctl } from '../../src/host/sysctl.ts'
import { RtnetlinkKernel } from '../../src/netlink/rtnetlink-kernel.ts'
import { settingsContract } from '../contract/settings-contract.ts'
import { tool } from './real-kernel.ts'

const kernel = new RtnetlinkKernel()
const ports = { kernel, readSysctl, setSysctl }

afterAll(() => {
  kernel.close()
})

settingsContract(() => ({
  ports,
  addLink: (name) => {
    tool('ip', 'link', 'add', name, 'type', 'bridge')
    tool('sysctl', '-qw', `net.ipv4.conf.${name.replace('.', '/')}.forwarding=0`)
    return Promise.resolve()
  },
  removeLink: (name) => {
    tool('ip', 'link', 'delete', name)
    return Promise.resolve()
  },
}))

describe.skipIf(!existsSync('/proc/sys/net/bridge'))(
  'with br_netfilter, what keeps bridged packets from the firewall',
  () => {
    it.each([
      [4, 'net.bridge.bridge-nf-call-iptables'],
      [6, 'net.bridge.bridge-nf-call-ip6tables'],
    ] as const)('is for IPv%i the setting of that name', async (family, name) => {
      for (const [value, why] of [
        ['0', `${name} is 0`],
        ['1', undefined],
      ] as const) {
        tool('sysctl', '-qw', `${name}=${value}`)
        expect(await bridgeEscape([family], ports)).toBe(why)
      }
    })
  },
)
