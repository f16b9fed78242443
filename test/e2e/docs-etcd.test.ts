import { afterAll, beforeAll, expect, test } from 'vitest'
import { followGuides, SCENES } from '../docs/scene.ts'
import { Session } from '../docs/session.ts'
import { fails, forwards, waitFor, type LabHost } from '../lab/index.ts'
import { useLab } from '../lab/use-lab.ts'

const NAMES = SCENES['etcd'] ?? []
/** Of the configuration that the guide writes. */
const DEVICE = 'flannel.1'
/** As docs/etcd.md has them. */
const SHARED = { user: 'flannel', password: 'agents-secret' }
const OWN = { user: 'host-one', password: 'hosts-secret', key: '10.32.0.0-20' }

/** Both guides are followed on one etcd, and then agents live with what they have made of it. */
const lab = useLab({ hosts: NAMES.length })
const sessions = new Map<string, Session>()
const hostOf = (name: string): LabHost => lab().host(NAMES.indexOf(name))

beforeAll(() => {
  const environment = { ETCDCTL_API: '3', ETCDCTL_ENDPOINTS: lab().etcd.endpoints.join(',') }
  for (const name of NAMES) sessions.set(name, new Session(hostOf(name).place, environment))
})
afterAll(() => {
  for (const session of sessions.values()) session.close()
})

followGuides('etcd', {
  session(name) {
    const session = sessions.get(name)
    if (session === undefined) throw new RangeError(`there is no ${name}`)
    return session
  },
})

const as = ({ user, password }: { readonly user: string; readonly password: string }): readonly string[] => [
  `--etcd-username=${user}`,
  `--etcd-password=${password}`,
]

/** What etcdctl says as this user. */
const attempt = (
  user: { readonly user: string; readonly password: string },
  ...command: readonly string[]
): Promise<string> => {
  lab().etcd.user = `${user.user}:${user.password}`
  return lab().etcd.etcdctl(command).catch(String)
}

test('a node that may write its reserved key and the challenges, and one that may write all leases, make an overlay', async () => {
  hostOf('host-one').agent.start([...as(OWN), '--ip-masq'])
  hostOf('host-two').agent.start([...as(SHARED), '--ip-masq'])
  expect((await hostOf('host-one').ready()).subnet.text).toBe('10.32.0.0/20')
  for (const name of NAMES) {
    const knowsTheOther = async (): Promise<boolean> => (await hostOf(name).peerTables(DEVICE)).routes.length === 1
    await waitFor(`${name} to know the other`, knowsTheOther)
    await forwards(hostOf(name))
  }
})

test('neither may do more than it needs', async () => {
  const [subnets, config] = ['/coreos.com/network/subnets', '/coreos.com/network/config']
  expect(await attempt(OWN, 'put', `${subnets}/10.33.0.0-20`, 'x')).toContain('permission denied')
  expect(await attempt(OWN, 'put', config, 'x')).toContain('permission denied')
  expect(await attempt(SHARED, 'put', config, 'x')).toContain('permission denied')
  expect(await attempt(SHARED, 'get', '--prefix', '/')).toContain('permission denied')
  expect(await attempt(OWN, 'get', `${subnets}/${OWN.key}`)).toContain('"BackendType":"vxlan"')
})

test('a node whose reservation is gone waits, and names its user and what is lacking', async () => {
  const host = hostOf('host-one')
  await host.agent.stop()
  await attempt({ user: 'root', password: 'roots-secret' }, 'del', `/coreos.com/network/subnets/${OWN.key}`)
  await host.place.exec('rm', ['/run/flannel/subnet.env'])
  await host.place.exec('ip', ['link', 'delete', DEVICE])
  host.agent.start([...as(OWN), '--ip-masq'])
  await fails(
    host,
    'lease',
    /permission denied \(user "host-one" lacks a role with write permission below \/coreos.com\/network\/\)/,
  )
})

test('containers reach the world, and not etcd; their host reaches both', async () => {
  const host = hostOf('host-two')
  const { place } = await host.addContainer()
  const [{ host: gateway, clientPort } = { host: '', clientPort: 0 }] = lab().etcd.members.map((member) => member.place)
  const reaches = async (from: typeof place, port: number): Promise<boolean> => {
    const { code } = await from.attempt('timeout', ['2', 'bash', '-c', `: < /dev/tcp/${gateway}/${port}`])
    return code === 0
  }
  expect(await reaches(host.place, clientPort)).toBe(true)
  expect(await reaches(place, clientPort)).toBe(false)
  await host.place.exec('nft', ['delete', 'table', 'inet', 'keep-off'])
  expect(await reaches(place, clientPort)).toBe(true)
})
