import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'
import { Agent } from '../lab/agent.ts'

const EXECUTABLE = join(import.meta.dirname, '../../dist/flanneld')
/** Where nobody but root may write, and everybody may execute from. */
const INSTALLED = '/run/flanneld'
const NOBODY = 65_534
const CAPABILITIES = '+net_admin,+net_raw'

/** As systemd runs a unit with User=nobody and AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW. */
const AS_NOBODY = [
  ...['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--no-new-privs'],
  ...[`--inh-caps=${CAPABILITIES}`, `--ambient-caps=${CAPABILITIES}`, '--bounding-set=-all,+net_admin,+net_raw'],
] as const

describe('the single executable, run by an ordinary user who may administer the network', () => {
  const lab = useLab({ hosts: 2 }, (it) => it.putConfig(CONFIG))
  let agent: Agent

  beforeAll(async () => {
    const { place } = lab().host(0)
    await place.exec('install', ['-m', '0755', EXECUTABLE, INSTALLED])
    await place.exec('install', ['-d', '-o', `${NOBODY}`, '-g', `${NOBODY}`, '/run/flannel'])
    const flags = [`--etcd-endpoints=${lab().etcd.endpoints.join(',')}`, '--iface=eth0', '--ip-masq']
    agent = new Agent(place, [...AS_NOBODY, INSTALLED], flags, `${lab().host(0).agent.logPath}-nobody`)
    agent.start()
    lab().host(1).agent.start()
    await Promise.all(lab().hosts.map((host) => host.ready()))
  })
  afterAll(async () => {
    if (agent.isRunning) await agent.kill()
  })

  test('is not root', async () => {
    const { place } = lab().host(0)
    expect(await place.exec('ps', ['-o', 'uid=', '-p', `${agent.pid ?? 0}`])).toMatch(/^\s*65534\s*$/)
  })

  test('makes its device, its entries and the rules of the firewall, and containers reach each other', async () => {
    const [one, other] = [await lab().host(0).addContainer(), await lab().host(1).addContainer()]
    expect(await lab().host(0).link(DEVICE)).toBeDefined()
    expect(await one.ping(other.address)).toMatchObject({ received: 3 })
    expect(await lab().host(0).place.exec('iptables-save', ['-t', 'nat'])).toContain('flanneld masq')
  })
})
