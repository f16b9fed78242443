import { describe, expect, it } from 'vitest'
import { readOptions } from '../../../../src/cli/flanneld.ts'
import { variableReader } from '../../../../src/cli/kube-access.ts'
import type { Layer } from '../../../../src/cli/layers.ts'
import {
  namesEtcd,
  namesKubernetes,
  processLayer,
  settingsReader,
  unitLayer,
} from '../../../../src/cli/settings/daemon-layers.ts'
import type { DaemonOptions } from '../../../../src/config/options.ts'

const NOTHING: Layer = { given: new Map(), environment: {} }

const told = (flags: Readonly<Record<string, string>>, environment: Layer['environment'] = {}): Layer => ({
  given: new Map(Object.entries(flags).map(([name, text]) => [name, [text]])),
  environment,
})

const options = (own: Layer, daemon?: Layer): DaemonOptions =>
  readOptions(settingsReader(own, daemon), variableReader([own.environment, daemon?.environment ?? {}]))

describe('what a command takes from the daemon of its host', () => {
  it('is what the process was started with, whatever runs it', () => {
    const flags = ['-iface=eth1', '--ip-masq', '--etcd-endpoints', 'http://10.0.0.1:2379']
    const environment = { FLANNELD_NODE_ID: 'seven' }
    for (const program of [['/usr/bin/flanneld'], ['/usr/bin/node', '--enable-source-maps', '/opt/main.cjs']]) {
      const { etcd, ifaces, ipMasq, nodeId } = options(NOTHING, processLayer([...program, ...flags], environment))
      expect([etcd.endpoints, ifaces, ipMasq, nodeId]).toEqual([['http://10.0.0.1:2379'], ['eth1'], true, 'seven'])
    }
  })

  it('is what the unit would hand to it, the later file first, with the names of Red Hat', () => {
    const layer = unitLayer([
      '# FLANNELD_IFACE=eth9\nFLANNELD_IFACE=eth1\nFLANNELD_OPTS="--ip-masq --iface-regex=\'^10[.]\'"\n',
      "FLANNELD_IFACE='eth2'\nFLANNEL_ETCD_ENDPOINTS=http://10.0.0.2:2379\nFLANNEL_ETCD_PREFIX=/red/hat\n",
    ])
    const { etcd, ifaces, ifaceRegexes, ipMasq } = options(NOTHING, layer)
    expect(etcd).toMatchObject({ endpoints: ['http://10.0.0.2:2379'], prefix: '/red/hat' })
    expect([ifaces, ifaceRegexes.map(({ source }) => source), ipMasq]).toEqual([['eth2'], ['^10[.]'], true])
  })

  it('counts for less than flags and variables of the command', () => {
    const daemon = processLayer(['flanneld', '--etcd-prefix=/of/daemon', '--iface=eth1', '--node-id=daemon'], {})
    const own = told({ iface: 'eth2' }, { FLANNELD_NODE_ID: 'own' })
    const { etcd, ifaces, nodeId } = options(own, daemon)
    expect([etcd.prefix, ifaces, nodeId]).toEqual(['/of/daemon', ['eth2'], 'own'])
  })

  it('shows its password to no other etcd', () => {
    const daemon = processLayer(['flanneld', '--etcd-endpoints=http://10.0.0.1:2379', '--etcd-username=agent'], {
      FLANNELD_ETCD_PASSWORD: 'secret',
    })
    expect(options(NOTHING, daemon).etcd).toMatchObject({ username: 'agent', password: 'secret' })
    const { etcd } = options(told({ 'etcd-endpoints': 'http://elsewhere:2379' }), daemon)
    expect([etcd.username, etcd.password]).toEqual([undefined, undefined])
  })

  it.each([
    [
      'command',
      told({ 'etcd-endpoints': 'http://a:2379' }),
      processLayer(['flanneld', '--etcd-endpoints=http://b'], {}),
    ],
    ['command', told({}, { FLANNELD_ETCD_ENDPOINTS: 'http://a:2379' }), undefined],
    ['daemon', told({ 'etcd-prefix': '/other' }), processLayer(['flanneld', '--etcd-endpoints=http://b'], {})],
    [undefined, told({ 'etcd-prefix': '/other' }), processLayer(['flanneld', '--iface=eth1'], {})],
    [undefined, NOTHING, undefined],
  ] as const)('tells who names etcd: %s', (by, own, daemon) => {
    expect(namesEtcd(own, daemon)).toBe(by)
  })

  it.each([
    ['command', told({ 'kube-subnet-mgr': 'true' }), undefined],
    ['command', told({}, { FLANNELD_KUBE_SUBNET_MGR: 'true' }), undefined],
    ['command', told({ 'kubeconfig-file': '/k' }), processLayer(['flanneld', '--kube-subnet-mgr'], {})],
    ['daemon', NOTHING, processLayer(['flanneld', '--kube-subnet-mgr'], {})],
    ['daemon', NOTHING, unitLayer(['FLANNELD_KUBE_SUBNET_MGR=true\n'])],
    [undefined, NOTHING, processLayer(['flanneld', '--etcd-endpoints=http://b'], {})],
  ] as const)('tells who names Kubernetes: %s', (by, own, daemon) => {
    expect(namesKubernetes(own, daemon)).toBe(by)
  })

  it('is nothing where the daemon could not have been started so', () => {
    expect(options(NOTHING, processLayer(['flanneld', '--no-such-flag'], {})).ifaces).toEqual([])
    expect(options(NOTHING, unitLayer(['FLANNELD_OPTS=--no-such-flag'])).ifaces).toEqual([])
  })
})
