import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { readPluginList } from '../../src/cni/install/list.ts'
import { parseNetworkConfig } from '../../src/config/network.ts'
import { outcomeOf, outputOf } from '../lab/command.ts'
import { objectAt, objectsAt, parseObject, textAt, type JsonObject } from '../lab/json.ts'
import { objectsOf } from './server/manifest.ts'
import { kubePrograms } from './server/programs.ts'

const ROOT = join(import.meta.dirname, '../..')
const CHART = join(ROOT, 'packaging/kubernetes/chart')
const PLAIN = join(ROOT, 'packaging/kubernetes/kube-flannel.yml')
const HEADER = `# flannel-agent for a Kubernetes cluster whose pods are given addresses out of 10.244.0.0/16. Another range: net-conf.json below.
# Made of packaging/kubernetes/chart; a test holds it to that, and writes it anew with UPDATE_MANIFEST=1.
`
const programs = await kubePrograms()

describe.skipIf(typeof programs === 'string')('the chart, rendered by Helm', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chart-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  const render = async (values: object = {}, chart = CHART) => {
    if (typeof programs === 'string') throw new Error(programs)
    const file = join(folder, 'values.yaml')
    await writeFile(file, stringify(values))
    return outcomeOf([programs.chart, chart, 'kube-flannel', file])
  }
  const documents = async (values: object = {}): Promise<readonly JsonObject[]> => {
    const { code, stdout, stderr } = await render(values)
    expect([code, stderr]).toEqual([0, ''])
    return objectsOf(stdout)
  }
  const one = async (kind: string, values: object = {}): Promise<JsonObject> => {
    const found = (await documents(values)).find((document) => document['kind'] === kind)
    if (found === undefined) throw new Error(`there is no ${kind}`)
    return found
  }
  const fileIn = async (name: string, values: object = {}): Promise<string> =>
    textAt(objectAt(await one('ConfigMap', values), 'data'), name) ?? ''
  const network = async (values: object): Promise<unknown> => {
    const text = await fileIn('net-conf.json', values)
    parseNetworkConfig(text)
    return JSON.parse(text)
  }

  const expectRefusal = async (values: object, named: string): Promise<void> => {
    const { code, stderr } = await render(values)
    expect(code).toBe(1)
    expect(stderr).toContain(named)
  }

  test('is what the plain manifest says', async () => {
    const [values = {}] = objectsOf(readFileSync(join(ROOT, 'packaging/kubernetes/plain.yaml'), 'utf8'))
    const { stdout } = await render(values)
    if (process.env['UPDATE_MANIFEST'] === '1') writeFileSync(PLAIN, HEADER + stdout)
    expect(await readFile(PLAIN, 'utf8')).toBe(HEADER + stdout)
  })

  test('says the same out of the archive that npm run package makes', async () => {
    const options = ['--only', 'kubernetes', '--executable', '/bin/true', '--stand-in', '--out', folder]
    await outputOf([process.execPath, join(ROOT, 'packaging/package.mjs'), ...options])
    const archive = (await readdir(folder)).find((name) => name.endsWith('.tgz')) ?? ''
    const { code, stdout } = await render({}, join(folder, archive))
    expect([code, stdout]).toEqual([0, (await render()).stdout])
  })

  test('is of the version that everything is', async () => {
    const version = textAt(parseObject(await readFile(join(ROOT, 'package.json'), 'utf8')), 'version') ?? ''
    const chart: unknown = parse(await readFile(join(CHART, 'Chart.yaml'), 'utf8'))
    expect(chart).toMatchObject({ version, appVersion: version })
    expect(await readFile(PLAIN, 'utf8')).toContain(`image: flannel-agent:${version}\n`)
  })

  test.each([
    [{}, { Network: '10.244.0.0/16', Backend: { Type: 'vxlan' } }],
    [
      { podCidrv6: 'fd00:10:244::/56' },
      { Network: '10.244.0.0/16', EnableIPv6: true, IPv6Network: 'fd00:10:244::/56', Backend: { Type: 'vxlan' } },
    ],
    [
      { podCidr: '', podCidrv6: 'fd00:10:244::/56' },
      { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00:10:244::/56', Backend: { Type: 'vxlan' } },
    ],
    [
      {
        podCidr: '10.0.0.0/8',
        flannel: { backendPort: 7890, vni: 100, mtu: 1400, GBP: true, directRouting: true, enableNFTables: true },
      },
      {
        Network: '10.0.0.0/8',
        EnableNFTables: true,
        Backend: { Type: 'vxlan', Port: 7890, VNI: 100, MTU: 1400, GBP: true, DirectRouting: true },
      },
    ],
    [{ flannel: { backend: 'host-gw' } }, { Network: '10.244.0.0/16', Backend: { Type: 'host-gw' } }],
  ])('makes of %j a network configuration that the agent takes', async (values, expected) => {
    expect(await network(values)).toEqual(expected)
  })

  test.each(['fd00::/48', '::/1', 'fd00:10:244:1:2:3:4:0/112', 'FD00:10:244::1:0/128', 'fd00:10:244:1:2:3:4::/112'])(
    'takes %s as a range of IPv6',
    async (podCidrv6) => {
      expect(await one('ConfigMap', { podCidrv6 })).toBeDefined()
    },
  )

  test('hands on what is to run where, and how', async () => {
    const spec = objectAt(
      objectAt(
        objectAt(
          await one('DaemonSet', {
            global: { imagePullSecrets: [{ name: 'secret' }] },
            flannel: {
              image: { repository: 'registry/agent', tag: 'v1' },
              args: ['--kube-subnet-mgr', '--iface=eth1'],
              healthz: { port: 0 },
              skipCNIConfigInstallation: true,
              cniBinDir: '/usr/lib/cni',
              nodeSelector: { disk: 'ssd' },
              tolerations: [],
            },
          }),
          'spec',
        ),
        'template',
      ),
      'spec',
    )
    expect(spec).toMatchObject({ nodeSelector: { disk: 'ssd' }, imagePullSecrets: [{ name: 'secret' }] })
    expect(spec['tolerations']).toBeUndefined()
    const [container] = objectsAt(spec, 'containers')
    expect(container).toMatchObject({ image: 'registry/agent:v1', args: ['--kube-subnet-mgr', '--iface=eth1'] })
    expect([container?.['livenessProbe'], container?.['readinessProbe']]).toEqual([undefined, undefined])
    expect(objectsAt(spec, 'initContainers')[0]?.['args']).toEqual(['install-cni', '--skip-conf'])
    const paths = objectsAt(spec, 'volumes').map((volume) => objectAt(volume, 'hostPath')['path'])
    expect(paths).toEqual(['/run/flannel', '/usr/lib/cni', undefined, '/run/xtables.lock'])
  })

  test('has a list of plugins that is installed', async () => {
    expect(readPluginList('cni-conf.json', await fileIn('cni-conf.json')).needs).toEqual([
      'bridge',
      'host-local',
      'portmap',
      'loopback',
    ])
  })

  test('makes a namespace only where it is to', async () => {
    const kinds = async (values: object) => (await documents(values)).map(({ kind }) => kind)
    expect(await kinds({})).toEqual([
      ...['ServiceAccount', 'ConfigMap', 'ClusterRole', 'ClusterRoleBinding', 'DaemonSet'],
    ])
    expect(await kinds({ createNamespace: true })).toContain('Namespace')
  })

  test.each([
    ['a backend that is not there', { flannel: { backend: 'wireguard' } }, 'backend'],
    ["a value of upstream's that would mean nothing", { flannel: { image_cni: { tag: 'x' } } }, 'image_cni'],
    ['a word that is no value', { podCIDR: '10.0.0.0/8' }, 'podCIDR'],
    ['flags for another store', { flannel: { args: ['--ip-masq'] } }, 'args'],
    ['no range at all', { podCidr: '' }, ''],
    ['a range that is none', { podCidr: '10.244.0.0' }, 'podCidr'],
    ['a port that is none', { flannel: { backendPort: 70_000 } }, 'backendPort'],
  ])('refuses %s', async (_, values, named) => {
    await expectRefusal(values, named)
  })

  test.each(['10.244.0.0/33', '10.256.0.0/16', '10.244.0/16', '10.244.0.0/0', '10.244.0.0/16,fd00::/48', 'fd00::/48'])(
    'refuses %s as a range of IPv4',
    async (podCidr) => {
      await expectRefusal({ podCidr }, 'podCidr')
    },
  )

  test.each(['fd00:10:244::/129', 'fd00::10::/64', 'fd00:1:2:3:4:5:6:7:8/64', '10.244.0.0/16', 'fd00::/x', ':/64'])(
    'refuses %s as a range of IPv6',
    async (podCidrv6) => {
      await expectRefusal({ podCidrv6 }, 'podCidrv6')
    },
  )

  test.each([
    ['{"name":', 'is no JSON'],
    ['{"plugins":[{"type":"flannel"}]}', 'name'],
    ['{"name":"cbr0","plugins":{"type":"flannel"}}', 'plugins is to be a list'],
    ['{"name":"cbr0","plugins":["flannel"]}', 'is to be an object'],
    ['{"name":"cbr0","plugins":[{"delegate":{}}]}', 'is to have a type'],
    ['{"name":"cbr0","plugins":[{"type":"bridge"}]}', 'of the type flannel'],
  ])('refuses %s as a list of plugins', async (cniConf, words) => {
    await expectRefusal({ flannel: { cniConf } }, words)
  })
})
