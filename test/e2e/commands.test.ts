import { spawnSync } from 'node:child_process'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { PeersDocument, StatusDocument, StatusEvent } from '../../src/status/document.ts'
import type { Outcome } from '../lab/command.ts'
import { leaseOf } from '../lab/expected-tables.ts'
import { waitFor, type LabHost } from '../lab/index.ts'
import { AGENT, agentCall } from '../lab/program.ts'
import { bringUp, DEVICE, useLab } from '../lab/use-lab.ts'

/** Secrets that an operator may have around an agent; none may get into a report. */
const PLANTED = {
  password: 'hunter2-password',
  token: 'hunter2-token-of-somebody',
  userinfo: 'hunter2user:hunter2pass',
  keyFile: '/etc/etcd/hunter2.key',
} as const

describe('the commands that ask the agent', () => {
  const lab = useLab({ hosts: 2 }, bringUp)

  const flanneld = (host: LabHost, command: string, ...args: readonly string[]): Promise<Outcome> =>
    host.place.attempt(...agentCall(command, ...args))

  const statusOf = async (host: LabHost): Promise<StatusDocument> =>
    JSON.parse((await flanneld(host, 'status', '--json')).stdout) as StatusDocument

  const peersOf = async (host: LabHost, ...args: readonly string[]): Promise<PeersDocument> =>
    JSON.parse((await flanneld(host, 'peers', '--json', ...args)).stdout) as PeersDocument

  test('show a healthy node: status, peers, and the way to each, exit 0', async () => {
    const [host, peer] = [lab().host(0), lab().host(1)]
    await waitFor('the peer to be reached', async () => (await peersOf(host)).peers[0]?.reach === 'reachable')
    await waitFor('the node to be ready', async () => (await statusOf(host)).state === 'ready')
    const { subnet } = await leaseOf(lab(), peer)
    const status = await flanneld(host, 'status')
    expect(status).toMatchObject({ code: 0, stderr: '' })
    expect(status.stdout).toMatch(/^host0 is ready/)
    expect(status.stdout).toContain('1: 1 reachable')
    const one = await flanneld(host, 'peers', 'host1')
    expect(one.code).toBe(0)
    for (const text of ['host1 over IPv4 is reachable', peer.address, subnet]) expect(one.stdout).toContain(text)
    for (const word of ['host1', subnet.replace(/\.0\/\d+$/, '.9')])
      expect((await flanneld(host, 'trace', word)).stdout).toMatch(/^ +ok {5}probe .*\nnothing is wrong$/m)
    const ping = await flanneld(host, 'ping', '-c', '2', '-i', '1', 'host1')
    expect(ping).toMatchObject({ code: 0, stderr: '' })
    expect(ping.stdout).toMatch(
      /^(host1 \(\S+\): answers in [\d.]+ ms, in full size\n){2}host1 .*: asked 2 times, answered 2, in full 2;/,
    )
    expect(await flanneld(host, 'ping', '-c', '1', 'nobody')).toMatchObject({ code: 1, stdout: '' })
  })

  test('ping a container besides its node, and say which of both does not answer', async () => {
    const [host, peer] = [lab().host(0), lab().host(1)]
    const { subnet } = await leaseOf(lab(), peer)
    const container = subnet.replace(/\.0\/\d+$/, '.9')
    const away = await flanneld(host, 'ping', '-c', '1', container)
    expect(away).toMatchObject({ code: 1, stderr: '' })
    expect(away.stdout).toContain(`\n${container} on host1: no answer; its node does: it is that container, docker0`)
    await peer.place.exec('ip', ['address', 'add', `${container}/32`, 'dev', 'lo'])
    try {
      const there = await flanneld(host, 'ping', '-c', '1', container)
      expect(there).toMatchObject({ code: 0, stderr: '' })
      expect(there.stdout).toMatch(/^host1 .*\n\S+\.9 on host1: answers in [\d.]+ ms\n/)
      const { stdout } = await flanneld(host, 'ping', '-c', '1', '--json', container)
      expect(JSON.parse(stdout.split('\n')[1] ?? '')).toMatchObject({ container, node: 'host1', says: null })
    } finally {
      await peer.place.exec('ip', ['address', 'del', `${container}/32`, 'dev', 'lo'])
    }
  })

  test('follow events as they come', async () => {
    const host = lab().host(0)
    const events = JSON.parse(
      `[${(await flanneld(host, 'events', '--json')).stdout.trimEnd().replaceAll('\n', ',')}]`,
    ) as StatusEvent[]
    const next = events.length + 2
    const follow = [AGENT, 'events', '--follow', '--json'].flat().join(' ')
    const follower = host.place.attempt('bash', ['-c', `head -n ${next} < <(exec timeout 60 ${follow} 2>/dev/null)`])
    await lab().putLease('10.77.0.0-20', '{"BackendType":"host-gw"}')
    await lab().putLease('10.78.0.0-20', 'junk')
    const { stdout } = await follower
    const ids = stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as StatusEvent).id)
    expect(ids).toEqual(Array.from({ length: next }, (_, index) => index + 1))
    const status = (await flanneld(host, 'status')).stdout
    expect(status).toMatch(/^Leases that are not used\n.*\n +10\.77\.0\.0/m)
  })

  test('mark the first thing that is wrong on the way, which is put right', async () => {
    const [host, peer] = [lab().host(0), lab().host(1)]
    const { subnet } = await leaseOf(lab(), peer)
    host.agent.freeze()
    await host.place.exec('ip', ['neighbour', 'delete', subnet.replace(/\/.*/, ''), 'dev', DEVICE])
    const found = await flanneld(host, 'trace', 'host1')
    expect(found.code).toBe(1)
    expect(found.stdout).toMatch(
      /^ +WRONG {2}neighbour .*(is not there|it should be .*)\n +→ systemctl restart flanneld$/m,
    )
    expect(found.stdout).toContain('the first thing wrong is: neighbour')
    expect(found.stderr).toContain('does not answer within')
    host.agent.thaw()
    await waitFor('the entry', async () => (await flanneld(host, 'trace', 'host1')).code === 0)
  })

  test('write a report without secrets, for its owner alone', async () => {
    const host = lab().host(0)
    const secrets = `FLANNELD_ETCD_ENDPOINTS=http://${PLANTED.userinfo}@10.1.2.3:2379
FLANNELD_OPTS="--etcd-password ${PLANTED.password} --etcd-keyfile=${PLANTED.keyFile}"
GITHUB_TOKEN=${PLANTED.token}
`
    await host.place.exec('sh', ['-c', `printf %s "$1" >/run/flannel/options.env`, 'sh', secrets])
    const path = '/run/tmp/report.tar.gz'
    const environment = [`SOME_TOKEN=${PLANTED.token}`, `FLANNELD_ETCD_PASSWORD=${PLANTED.password}`]
    const made = await host.place.attempt('env', [...environment, ...flat(agentCall('bugreport', '-o', path))])
    expect(made).toMatchObject({ code: 0, stdout: `${path}\n` })
    expect(await host.place.exec('stat', ['-c', '%a', path])).toBe('600\n')
    const archive = gunzipSync(Buffer.from(await host.place.exec('base64', [path]), 'base64'))
    const text = archive.toString('latin1')
    for (const secret of Object.values(PLANTED).flatMap((all) => all.split(':'))) expect(text).not.toContain(secret)
    const names = spawnSync('tar', ['-t'], { input: archive, encoding: 'utf8' }).stdout
    for (const name of ['status.json', 'peers.json', 'doctor.json', 'ip-link.txt', 'bridge-fdb.txt', 'leases.json'])
      expect(names).toContain(`/${name}\n`)
    expect(text).toContain(DEVICE)
    expect(await flanneld(host, 'bugreport', '-o', path)).toMatchObject({ code: 1, stdout: '' })
    await host.place.exec('rm', ['/run/flannel/options.env'])
  })

  test('say what can be known without an agent, and that there is none', async () => {
    const host = lab().host(0)
    await host.agent.stop()
    const { code, stdout } = await flanneld(host, 'status', `--etcd-endpoints=${lab().etcd.endpoints.join(',')}`)
    expect(code).toBe(1)
    expect(stdout).toMatch(/^host0 is without an agent that answers: .*\nnext: systemctl status flanneld/)
    expect(stdout).toMatch(
      new RegExp(`^${DEVICE.replace('.', '[.]')} +up, .*: 1 neighbour, 1 FDB entry, 1 route$`, 'm'),
    )
    expect(stdout).toMatch(/4 leases, of this node \S+/)
    expect(stdout).toContain('none runs on this host')
    expect(await flanneld(host, 'peers')).toMatchObject({ code: 1, stdout: '' })
  })
})

const flat = ([program, args]: readonly [string, readonly string[]]): readonly string[] => [program, ...args]
