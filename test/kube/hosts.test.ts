import { join } from 'node:path'
import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import type { ConditionName } from '../fake/condition-names.ts'
import { AGENT, AGENT_FILE, agentCall } from '../lab/program.ts'
import { fails, HEALTH_FLAGS, holds, isReady } from '../lab/health.ts'
import { waitFor, type Lab, type LabHost, type PingStream } from '../lab/index.ts'
import { objectAt, objectsAt, parseObject, textAt, textsAt, type JsonObject } from '../lab/json.ts'
import { UNDERLAY } from '../lab/underlay.ts'
import { useLab } from '../lab/use-lab.ts'
import { ApiServer } from './server/api-server.ts'
import { objectsOf } from './server/manifest.ts'
import { kubePrograms } from './server/programs.ts'

const MANIFEST = join(import.meta.dirname, '../../packaging/kubernetes/kube-flannel.yml')
const NAMESPACE = 'kube-flannel'
const PORT = 6443
const [DEVICE, DEVICE6] = ['flannel.1', 'flannel-v6.1']
const PREFIX = 'flannel.alpha.coreos.com'
/** An agent starts in a second; a machine that is busy with other tests takes longer. */
const LONG = { deadlineMs: 60_000 }
/** Where the kubelet puts what a pod's service account has; /var/run is /run. */
const ACCOUNT = '/run/secrets/kubernetes.io/serviceaccount'
const CONFIG = '/run/kube-flannel'

const programs = await kubePrograms()
const manifest = objectsOf(await readFile(MANIFEST, 'utf8'))
const of = (kind: string): JsonObject => manifest.find((object) => object['kind'] === kind) ?? {}
const podSpec = objectAt(objectAt(objectAt(of('DaemonSet'), 'spec'), 'template'), 'spec')

const podCidrs = (index: number): readonly [string, string] => [`10.244.${index}.0/24`, `fd00:244:0:${index}::/64`]
/** The manifest's own, with both families. */
const netConf = (): string => {
  const own = parseObject(textAt(objectAt(of('ConfigMap'), 'data'), 'net-conf.json') ?? '')
  return JSON.stringify({ ...own, EnableIPv6: true, IPv6Network: 'fd00:244::/48' })
}

/** Causes that doctor finds there, but for what only may do harm. */
async function brokenOn({ place }: LabHost): Promise<readonly string[]> {
  const { stdout } = await place.attempt(...agentCall('doctor', '--json'))
  const found = objectsAt(parseObject(stdout), 'findings')
  return found.flatMap((one) => (textAt(one, 'severity') === 'broken' ? [textAt(one, 'cause') ?? ''] : []))
}

async function write(host: LabHost, path: string, input: string): Promise<void> {
  await host.place.exec('sh', ['-c', 'mkdir -p "${0%/*}" && cat >"$0"', path], { input })
}

describe.skipIf(typeof programs === 'string')('three hosts on a real API server, as the manifest has them', () => {
  let server: ApiServer | undefined
  const api = (): ApiServer => {
    if (server === undefined) throw new Error('there is no API server')
    return server
  }

  const inPod = [
    ...['sh', '-c', 'NODE_NAME=$(hostname) exec env "$@"', 'sh'],
    ...[`KUBERNETES_SERVICE_HOST=${UNDERLAY.gateway}`, `KUBERNETES_SERVICE_PORT=${PORT}`],
  ] as const
  const [program, ...words] = AGENT
  const lab = useLab({ hosts: 3, agentCommand: ['sh', ...inPod.slice(1), program, ...words] }, prepare)
  afterAll(() => server?.close())

  const flags = [
    ...textsAt(objectsAt(podSpec, 'containers')[0] ?? {}, 'args'),
    ...[`--net-config-path=${CONFIG}/net-conf.json`, ...HEALTH_FLAGS],
  ]
  const start = (host: LabHost): void => {
    host.agent.startWith(flags)
  }

  async function prepare({ etcd, hosts }: Lab): Promise<void> {
    if (typeof programs === 'string') return
    const place = { address: UNDERLAY.gateway, port: PORT }
    server = await ApiServer.start({ program: programs.apiServer, etcd: etcd.endpoints, ...place })
    await server.kubectl(['apply', '-f', MANIFEST])
    const token = await server.tokenOf(NAMESPACE, 'flannel')
    const authority = await readFile(server.caFile, 'utf8')
    for (const [index, host] of hosts.entries()) {
      await server.addNode(host.name, podCidrs(index))
      await write(host, `${ACCOUNT}/token`, token)
      await write(host, `${ACCOUNT}/ca.crt`, authority)
      await write(host, `${CONFIG}/net-conf.json`, netConf())
      start(host)
    }
    for (const host of hosts) await isReady(host, LONG)
    await Promise.all(hosts.map((host) => host.addContainer()))
  }

  const node = async (host: LabHost): Promise<JsonObject> =>
    parseObject(await api().kubectl(['get', 'node', host.name, '-o', 'json']))
  const annotationsOf = async (host: LabHost): Promise<JsonObject> =>
    objectAt(objectAt(await node(host), 'metadata'), 'annotations')
  const destinations = async (host: LabHost): Promise<readonly string[]> =>
    (await host.peerTables(DEVICE)).routes.map(({ destination }) => destination).sort()
  /** A Node that another agent speaks for, as upstream's do. @returns its subnet */
  const joins = async (name: string, number: number): Promise<string> => {
    const subnet = `10.244.${number}.0/24`
    await api().addNode(name, [subnet], {
      [`${PREFIX}/kube-subnet-manager`]: 'true',
      [`${PREFIX}/backend-type`]: 'vxlan',
      [`${PREFIX}/backend-data`]: `{"VNI":1,"VtepMAC":"0a:00:00:00:00:${number}"}`,
      [`${PREFIX}/public-ip`]: `192.168.205.${number}`,
    })
    return subnet
  }
  const allKnow = async (subnet: string, isThere = true): Promise<void> => {
    for (const host of lab().hosts)
      await waitFor(
        `${host.name} to ${isThere ? 'know' : 'have forgotten'} ${subnet}`,
        async () => (await destinations(host)).includes(subnet) === isThere,
        LONG,
      )
  }
  /** From every pod to every other, in both families. */
  const pingAll = async (): Promise<readonly PingStream[]> => {
    const pods = lab().hosts.flatMap(({ containers }) => containers)
    const streams = pods.flatMap((from) =>
      pods
        .filter((to) => to !== from)
        .flatMap((to) => [from.pingStream(to.address), from.pingStream(to.address6 ?? '', 50)]),
    )
    for (const stream of streams) await stream.progress(5, LONG.deadlineMs)
    return streams
  }
  const nothingIsLost = async (streams: readonly PingStream[]): Promise<void> => {
    for (const stream of streams) await stream.progress(5, LONG.deadlineMs)
    for (const stream of streams) expect((await stream.stop()).lost).toEqual([])
  }

  test('say of themselves what others need, and their pods reach each other in both families', async () => {
    for (const host of lab().hosts) {
      const [link, link6] = [await host.link(DEVICE), await host.link(DEVICE6)]
      expect(await annotationsOf(host)).toEqual({
        [`${PREFIX}/kube-subnet-manager`]: 'true',
        [`${PREFIX}/backend-type`]: 'vxlan',
        [`${PREFIX}/backend-data`]: `{"VNI":1,"VtepMAC":"${link?.mac ?? ''}"}`,
        [`${PREFIX}/backend-v6-data`]: `{"VNI":1,"VtepMAC":"${link6?.mac ?? ''}"}`,
        [`${PREFIX}/public-ip`]: host.address,
        [`${PREFIX}/public-ipv6`]: host.address6,
      })
      const conditions = objectsAt(objectAt(await node(host), 'status'), 'conditions')
      expect(conditions).toMatchObject([{ type: 'NetworkUnavailable', status: 'False', reason: 'FlannelIsUp' }])
    }
    await nothingIsLost(await pingAll())
  })

  test('have nodes in their tables as they come and go', async () => {
    const subnet = await joins('guest', 90)
    await allKnow(subnet)
    await api().kubectl(['delete', 'node', 'guest'])
    await allKnow(subnet, false)
  })

  test('have the younger one named of two Nodes whose podCIDRs overlap', async () => {
    const [host] = lab().hosts
    if (host === undefined) throw new Error('there is no host')
    const backend = '{"VNI":1,"VtepMAC":"0a:00:00:00:00:94"}'
    await api().addNode('wide', ['10.244.0.0/23'], {
      ...{ [`${PREFIX}/kube-subnet-manager`]: 'true', [`${PREFIX}/backend-type`]: 'vxlan' },
      ...{ [`${PREFIX}/backend-data`]: backend, [`${PREFIX}/public-ip`]: '192.168.205.94' },
    })
    await waitFor('it to be named', async () => (await brokenOn(host)).includes('podcidr-shared'), LONG)
    expect((await host.place.attempt(...agentCall('doctor'))).stdout).toContain('kubectl delete node wide,')
    await api().kubectl(['delete', 'node', 'wide'])
    await waitFor('it to be forgotten', async () => (await brokenOn(host)).length === 0, LONG)
  })

  test('write again what somebody else has changed, and on a Node that was made anew', async () => {
    const [host] = lab().hosts
    if (host === undefined) throw new Error('there is no host')
    const before = await annotationsOf(host)
    await api().kubectl(['annotate', '--overwrite', 'node', host.name, `${PREFIX}/public-ip=192.0.2.1`])
    await waitFor('its annotations', async () => (expect(await annotationsOf(host)).toEqual(before), true), LONG)
    await api().kubectl(['delete', 'node', host.name])
    for (const peer of lab().hosts.slice(1))
      await waitFor('it to be given up', async () => !(await destinations(peer)).includes(podCidrs(0)[0]), LONG)
    expect(await brokenOn(host)).toEqual(['node-missing'])
    await api().addNode(host.name, podCidrs(0))
    await waitFor('its annotations', async () => (expect(await annotationsOf(host)).toEqual(before), true), LONG)
  })

  test('go on while the server is away and while what it holds is set back, and follow it then', async () => {
    const streams = await pingAll()
    const snapshot = await lab().etcd.snapshot()
    const later = await joins('later', 91)
    await allKnow(later)
    await api().stop()
    for (const host of lab().hosts) await fails(host, 'Kubernetes API', /./, LONG)
    await lab().etcd.restore(snapshot)
    api().spawn()
    await api().ready()
    for (const host of lab().hosts) await holds(host, 'Kubernetes API', LONG)
    await allKnow(await joins('again', 92))
    // Whom a fault of the store has taken is kept for a while: it may be there all the same.
    await allKnow(later)
    await nothingIsLost(streams)
  })

  /** The ClusterRole without this verb; with undefined as the manifest has it. */
  const allow = async (without?: string): Promise<void> => {
    const rules = objectsAt(of('ClusterRole'), 'rules')
      .map((rule) => ({ ...rule, verbs: textsAt(rule, 'verbs').filter((verb) => verb !== without) }))
      .filter(({ verbs }) => verbs.length > 0)
    await api().kubectl(['apply', '-f', '-'], JSON.stringify({ ...of('ClusterRole'), rules }))
  }
  const mayAll = async (): Promise<boolean> => {
    const token = await api().tokenOf(NAMESPACE, 'flannel')
    const asked = ['get nodes', 'list nodes', 'watch nodes', 'patch nodes/status'].map((right) => right.split(' '))
    const answers = await Promise.all(
      asked.map(([verb = '', on = '']) => {
        const [resource = '', subresource] = on.split('/')
        const flags = subresource === undefined ? [] : [`--subresource=${subresource}`]
        return api().attempt(['auth', 'can-i', verb, resource, ...flags], undefined, token)
      }),
    )
    return answers.every(({ code }) => code === 0)
  }
  const restart = async (): Promise<void> => {
    await api().stop()
    api().spawn()
    await api().ready()
  }
  const annotate = async (...annotations: readonly string[]): Promise<void> => {
    for (const { name } of lab().hosts) await api().kubectl(['annotate', '--overwrite', 'node', name, ...annotations])
  }

  /** What peers read as before, and the agent of that Node would have as it was. */
  const writeOtherwise = async (): Promise<void> => {
    const name = `${PREFIX}/backend-data`
    for (const host of lab().hosts) {
      const data = textAt(await annotationsOf(host), name) ?? ''
      await api().kubectl(['annotate', '--overwrite', 'node', host.name, `${name}=${data.replace(',', ', ')}`])
    }
  }

  test('go on without each of their rights, name the one that is missing, and take it up when it is given', async () => {
    const streams = await pingAll()
    const before = await Promise.all(lab().hosts.map(annotationsOf))
    const lacks: readonly (readonly [verb: string, condition: ConditionName, notice: () => Promise<void>])[] = [
      ['get', 'condition of our Node', () => annotate('example.com/seen=1')],
      ['patch', 'lease', writeOtherwise],
      ['list', 'Kubernetes API', restart],
      ['watch', 'Kubernetes API', restart],
    ]
    for (const [verb, condition, notice] of lacks) {
      await allow(verb)
      await waitFor('it to be known', async () => !(await mayAll()), LONG)
      const { stdout } = await lab()
        .host(0)
        .place.attempt(program, [...words, 'doctor', '--json'])
      const causes = objectsAt(parseObject(stdout), 'findings').map(({ cause }) => cause)
      expect(causes, verb).toContain('apiserver-role')
      await notice()
      for (const host of lab().hosts) await fails(host, condition, new RegExp(`needs verb ${verb} on nodes`), LONG)
      await allow()
      for (const host of lab().hosts) await holds(host, condition, LONG)
    }
    await annotate('example.com/seen-')
    for (const [at, host] of lab().hosts.entries())
      await waitFor('its annotations', async () => isDeepStrictEqual(await annotationsOf(host), before[at]), LONG)
    await nothingIsLost(streams)
  })

  test.skipIf(AGENT_FILE.endsWith('.cjs'))(
    'have plugin and list put in place by what the first container runs',
    async () => {
      const host = lab().host(1)
      await write(host, `${CONFIG}/cni-conf.json`, textAt(objectAt(of('ConfigMap'), 'data'), 'cni-conf.json') ?? '')
      const args = textsAt(objectsAt(podSpec, 'initContainers')[0] ?? {}, 'args')
      const places = ['--bin-dir=/run/cni/bin', '--conf-dir=/run/cni/net.d', `--conf=${CONFIG}/cni-conf.json`]
      await host.place.exec(AGENT_FILE, [...args, ...places])
      const answer = await host.place.exec('env', ['CNI_COMMAND=VERSION', '/run/cni/bin/flannel'], { input: '{}' })
      expect(textsAt(parseObject(answer), 'supportedVersions')).toContain('1.0.0')
      expect(await host.place.exec('ls', ['-A', '/run/cni/net.d'])).toBe('10-flannel.conflist\n')
    },
  )

  test('leave a Node to the host whose kubelet it is, where another has its name', async () => {
    const [right, , wrong] = lab().hosts
    if (right === undefined || wrong === undefined) throw new Error('there are no hosts')
    const before = await annotationsOf(right)
    const bootID = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
    const nodeInfo = JSON.stringify({ status: { nodeInfo: { bootID } } })
    await api().kubectl(['patch', 'node', right.name, '--subresource=status', '--type=merge', '-p', nodeInfo])
    await wrong.agent.stop()
    await write(wrong, '/run/boot_id', '00000000-0000-4000-8000-000000000000\n')
    await wrong.place.exec('mount', ['--bind', '/run/boot_id', '/proc/sys/kernel/random/boot_id'])
    await wrong.place.exec('hostname', [right.name])
    start(wrong)
    await fails(wrong, 'lease', /two agents run under the name of Node host0: .*so we are to have another name/, LONG)
    await fails(right, 'lease', /two agents run under the name of Node host0: .*so the other one is to have/, LONG)
    await wrong.place.exec('hostname', [wrong.name])
    expect(await brokenOn(wrong)).toEqual(['node-name-wrong'])
    expect(await brokenOn(right)).toEqual(['node-name-shared'])
    await waitFor('the right ones', async () => isDeepStrictEqual(await annotationsOf(right), before), LONG)
    const { resourceVersion } = objectAt(await node(right), 'metadata')
    await api().kubectl(['annotate', 'node', right.name, 'example.com/beat=1'])
    // Both have heard of that, and neither had anything to write.
    await allKnow(await joins('witness', 93))
    const after = objectAt(await node(right), 'metadata')
    expect(Number(after['resourceVersion'])).toBeGreaterThan(Number(resourceVersion))
    expect(objectAt(after, 'annotations')).toEqual({ ...before, 'example.com/beat': '1' })
  })
})
