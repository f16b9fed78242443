import { describe, expect, it } from 'vitest'
import { CLEANUP_HELP } from '../../../src/cli/cleanup.ts'
import { readCommandLine } from '../../../src/cli/flanneld.ts'
import { environmentName, FLAGS } from '../../../src/cli/flags.ts'
import { unreadOfOtherStore } from '../../../src/cli/kube-access.ts'
import { CNI_HELP } from '../../../src/cni/help.ts'
import { DOCKER_OPTS_HELP } from '../../../src/docker/docker-opts.ts'
import { ConfigError } from '../../../src/config/error.ts'
import type { DaemonOptions } from '../../../src/config/options.ts'
import { ip } from '../../../src/net/ip.ts'

type Environment = Readonly<Record<string, string>>

function options(args: readonly string[], environment: Environment = {}): DaemonOptions {
  const invocation = readCommandLine(args, environment)
  if (invocation.kind !== 'run') throw new Error('nothing to run')
  return invocation.options
}

function printed(args: readonly string[]): string {
  const invocation = readCommandLine(args, {})
  if (invocation.kind !== 'print') throw new Error('nothing to print')
  return invocation.text
}

/** The error of a command line, which must have one. */
function complaint(args: readonly string[], environment: Environment = {}): ConfigError {
  try {
    readCommandLine(args, environment)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('taken for valid')
}

describe('the command lines of the walkthroughs', () => {
  it.each<[string, Partial<DaemonOptions>]>([
    ['-iface=192.168.205.10', { ifaces: ['192.168.205.10'] }],
    ['-iface 192.168.205.10', { ifaces: ['192.168.205.10'] }],
    ['--iface=eth1 --iface=eth2', { ifaces: ['eth1', 'eth2'] }],
    ['-subnet-file=/run/flannel/other.env', { subnetFile: '/run/flannel/other.env' }],
    ['-v=10', { verbosity: 10 }],
    ['-v 1', { verbosity: 1 }],
    ['--subnet-lease-renew-margin=1439', { renewMarginMs: 1439 * 60_000 }],
    ['-subnet-lease-renew-margin 1', { renewMarginMs: 60_000 }],
    ['--node-id=rack-7', { nodeId: 'rack-7' }],
    ['--stale-peer-grace=0', { stalePeerGraceMs: 0 }],
    ['-stale-peer-grace 30', { stalePeerGraceMs: 30_000 }],
  ])('flanneld %s', (line, expected) => {
    expect(options(line.split(' '))).toMatchObject(expected)
  })

  it.each<[string, Partial<DaemonOptions['etcd']>]>([
    ['--etcd-endpoints=http://192.168.33.10:2379', { endpoints: ['http://192.168.33.10:2379'] }],
    ['-etcd-endpoints=https://a:2379,https://b:2379', { endpoints: ['https://a:2379', 'https://b:2379'] }],
    ['-etcd-prefix=/docker/network', { prefix: '/docker/network' }],
    ['-etcd-prefix /docker/network/', { prefix: '/docker/network' }],
    ['--etcd-prefix=docker', { prefix: '/docker' }],
    [
      '-etcd-endpoints=https://a:2379 -etcd-cafile=ca -etcd-certfile=c -etcd-keyfile=k',
      { caFile: 'ca', certFile: 'c', keyFile: 'k' },
    ],
    ['-etcd-endpoints=192.168.33.10:2379,', { endpoints: ['http://192.168.33.10:2379'], ignoredPaths: undefined }],
    ['-etcd-endpoints=192.168.33.10 -etcd-cafile=ca', { endpoints: ['https://192.168.33.10:2379'] }],
    ['-etcd-endpoints="http://a:2379,HTTP://b"', { endpoints: ['http://a:2379', 'http://b:2379'] }],
    [
      '-etcd-endpoints=http://a:4001/v2',
      { endpoints: ['http://a:4001'], ignoredPaths: [{ path: '/v2', endpoint: 'http://a:4001/v2' }] },
    ],
    ['--etcd-username=u --etcd-password=p=q', { username: 'u', password: 'p=q' }],
  ])('flanneld %s', (line, expected) => {
    expect(options(line.split(' ')).etcd).toMatchObject(expected)
  })

  it('all at once, with the rest at its default', () => {
    const line = '--etcd-endpoints=http://192.168.33.10:2379 -iface=192.168.205.10 --public-ip 1.2.3.4'
    expect(options(line.split(' '))).toMatchObject({
      etcd: { endpoints: ['http://192.168.33.10:2379'], prefix: '/coreos.com/network' },
      ifaces: ['192.168.205.10'],
      publicIps: new Map([[4, ip('1.2.3.4')]]),
      subnetFile: '/run/flannel/subnet.env',
      renewMarginMs: 3_600_000,
      verbosity: 0,
    })
  })
})

describe('without arguments', () => {
  it("has upstream's defaults", () => {
    expect(options([])).toEqual({
      etcd: {
        endpoints: ['http://127.0.0.1:4001', 'http://127.0.0.1:2379'],
        prefix: '/coreos.com/network',
        certFile: undefined,
        keyFile: undefined,
        caFile: undefined,
        username: undefined,
        password: undefined,
      },
      ifaces: [],
      ifaceRegexes: [],
      ifaceCanReach: undefined,
      publicIps: new Map(),
      ipMasq: false,
      ipMasqRandomFully: true,
      ipBlackholeRoute: false,
      forwardRules: true,
      firewallResyncMs: 5_000,
      peerFilter: false,
      peerProbes: true,
      healthz: undefined,
      subnetFile: '/run/flannel/subnet.env',
      statusSocket: '/run/flannel/flanneld.sock',
      healthzStatus: false,
      healthzPage: false,
      given: {},
      renewMarginMs: 3_600_000,
      stalePeerGraceMs: 300_000,
      nodeId: undefined,
      verbosity: 0,
      logFormat: 'text',
    })
    expect(options(['--'])).toEqual(options([]))
  })
})

describe('what a node does with its own traffic and its underlay', () => {
  it.each<[string, Partial<DaemonOptions>]>([
    ['--ip-masq', { ipMasq: true, ipMasqRandomFully: true }],
    ['-ip-masq=true --ip-masq-fully-random-disable', { ipMasq: true, ipMasqRandomFully: false }],
    ['--ip-masq=false --ip-masq-fully-random-disable=false', { ipMasq: false, ipMasqRandomFully: true }],
    ['-ip-blackhole-route', { ipBlackholeRoute: true }],
    ['-iptables-forward-rules=false', { forwardRules: false }],
    ['-iptables-forward-rules', { forwardRules: true }],
    ['--iptables-resync=60', { firewallResyncMs: 60_000 }],
    ['--vxlan-peer-filter', { peerFilter: true }],
    ['--peer-probes=false', { peerProbes: false }],
    ['--healthz-port=8080', { healthz: { ip: ip('0.0.0.0'), port: 8080 } }],
    ['-healthz-ip 127.0.0.1 -healthz-port 1', { healthz: { ip: ip('127.0.0.1'), port: 1 } }],
    ['-healthz-ip :: -healthz-port 65535', { healthz: { ip: ip('::'), port: 65_535 } }],
    ['-healthz-ip 127.0.0.1', { healthz: undefined }],
    ['--iface-can-reach=192.168.33.10', { ifaceCanReach: ip('192.168.33.10') }],
    ['--iface-can-reach=fd00::10', { ifaceCanReach: ip('fd00::10') }],
    ['--public-ipv6=2001:db8::7', { publicIps: new Map([[6, ip('2001:db8::7')]]) }],
  ])('flanneld %s', (line, expected) => {
    expect(options(line.split(' '))).toMatchObject(expected)
  })

  it('chooses the underlay by every --iface-regex, in order', () => {
    const { ifaceRegexes } = options('--iface-regex=^eth[12]$ -iface-regex ^192\\.168\\.'.split(' '))
    expect(ifaceRegexes.map(({ source }) => source)).toEqual(['^eth[12]$', '^192\\.168\\.'])
  })

  it('publishes an address of each family', () => {
    const { publicIps } = options('-public-ipv6=2001:db8::7 -public-ip=1.2.3.4'.split(' '))
    expect([...publicIps].map(([family, { text }]) => `${family} ${text}`)).toEqual(['4 1.2.3.4', '6 2001:db8::7'])
  })

  it.each(['1', 't', 'T', 'true', 'TRUE', 'True'])('is what Go takes for true: %s', (word) => {
    expect(options(`--ip-masq=${word}`.split(' ')).ipMasq).toBe(true)
  })

  it.each(['0', 'f', 'F', 'false', 'FALSE', 'False'])('is what Go takes for false: %s', (word) => {
    expect(options(`--iptables-forward-rules=${word}`.split(' ')).forwardRules).toBe(false)
  })

  it('may come from the environment', () => {
    const environment = { FLANNELD_IPTABLES_FORWARD_RULES: 'false', FLANNELD_IP_MASQ: '1', FLANNELD_HEALTHZ_PORT: '99' }
    expect(options(['-v=0'], environment)).toMatchObject({
      forwardRules: false,
      ipMasq: true,
      healthz: { port: 99 },
    })
    expect(options(['-iptables-forward-rules'], environment).forwardRules).toBe(true)
  })

  it.each([
    ['-ip-masq=perhaps', '--ip-masq', 'true or false', '"perhaps"'],
    ['--subnet-file=/run/x/', '--subnet-file', 'the name of a file', '"/run/x/"'],
    ['-iptables-resync=0', '--iptables-resync', 'from 1 to', '"0"'],
    ['-healthz-port 65536', '--healthz-port', 'from 0 to 65535', '"65536"'],
    ['-healthz-ip=localhost', '--healthz-ip', 'an IP address', '"localhost"'],
    ['-iface-regex=eth(', '--iface-regex', 'a regular expression: missing closing ): `eth(`', '"eth("'],
    ['-iface-can-reach=host', '--iface-can-reach', 'an IP address', '"host"'],
    ['-public-ipv6=1.2.3.4', '--public-ipv6', 'an IPv6 address', '"1.2.3.4"'],
    ['-public-ipv6=ff02::1', '--public-ipv6', 'other hosts can reach', '"ff02::1"'],
    ['-public-ipv6=::1', '--public-ipv6', 'other hosts can reach', '"::1"'],
  ])('flanneld %s is refused', (line, path, expected, got) => {
    const error = complaint(line.split(' '))
    expect(error).toMatchObject({ path, got })
    expect(error.expected).toContain(expected)
  })
})

describe('given twice', () => {
  it('the last one counts, except where each does', () => {
    expect(options(['-v=1', '-v=2', '-iface=a', '-iface=b'])).toMatchObject({ verbosity: 2, ifaces: ['a', 'b'] })
  })
})

describe('the environment', () => {
  it('stands in for a flag that is not given', () => {
    const environment = { FLANNELD_ETCD_PREFIX: '/e', FLANNELD_IFACE: 'eth9', FLANNELD_V: '3', FLANNELD_PUBLIC_IP: '' }
    expect(options([], environment)).toMatchObject({ etcd: { prefix: '/e' }, ifaces: ['eth9'], verbosity: 3 })
    expect(options([], environment).publicIps.size).toBe(0)
  })

  it('gives way to a flag', () => {
    expect(options(['-iface=eth1'], { FLANNELD_IFACE: 'eth9' }).ifaces).toEqual(['eth1'])
  })

  it('is named in the error when it is wrong', () => {
    expect(complaint([], { FLANNELD_V: 'loud' }).message).toBe(
      'FLANNELD_V: expected a whole number from 0 to 1000, found "loud"',
    )
    expect(complaint([], { FLANNELD_KUBE_API_URL: 'x' }).path).toBe('FLANNELD_KUBE_API_URL')
  })

  it('stands in for a flag given empty, as unit files with an unset variable do', () => {
    const given = options(['-iface=', '--public-ip=', '-etcd-prefix='], { FLANNELD_IFACE: 'eth1' })
    expect(given).toMatchObject({ ifaces: ['eth1'], publicIps: new Map(), etcd: { prefix: '/coreos.com/network' } })
  })

  it('has a name for every flag', () => {
    expect(environmentName('subnet-lease-renew-margin')).toBe('FLANNELD_SUBNET_LEASE_RENEW_MARGIN')
  })
})

/** For every flag that is acted upon, something else than its default, and than what {@link WITH} says. */
const SAMPLES: Readonly<Record<string, string>> = {
  'etcd-endpoints': 'https://10.9.9.9:2379',
  'etcd-prefix': '/sample',
  'etcd-certfile': 'sample.crt',
  'etcd-keyfile': 'sample.key',
  'etcd-cafile': 'sample.ca',
  'etcd-username': 'sample',
  'etcd-password': 'sample',
  'subnet-lease-renew-margin': '7',
  'stale-peer-grace': '7',
  iface: 'eth7',
  'iface-regex': '^eth7$',
  'iface-can-reach': '10.7.7.7',
  'public-ip': '10.7.7.7',
  'public-ipv6': 'fd00::7',
  'ip-masq': 'true',
  'ip-masq-fully-random-disable': 'true',
  'ip-blackhole-route': 'true',
  'iptables-forward-rules': 'false',
  'iptables-resync': '7',
  'vxlan-peer-filter': 'true',
  'peer-probes': 'false',
  'subnet-file': '/sample',
  'status-socket': '/sample.sock',
  'healthz-ip': '10.7.7.7',
  'healthz-port': '7',
  'healthz-status': 'true',
  'healthz-page': 'true',
  v: '7',
  'log-format': 'json',
  'node-id': 'sample',
  'kube-subnet-mgr': 'true',
  'kube-api-url': 'https://10.9.9.9:6443',
  'kubeconfig-file': '/sample',
  'kube-annotation-prefix': 'sample.com',
  'net-config-path': '/sample',
  'set-node-network-unavailable': 'false',
}
/** What some flags are refused, or say nothing, without. */
const WITH: Environment = {
  FLANNELD_ETCD_ENDPOINTS: 'https://10.9.9.8:2379',
  FLANNELD_ETCD_CERTFILE: 'c',
  FLANNELD_ETCD_KEYFILE: 'k',
  FLANNELD_ETCD_USERNAME: 'u',
  FLANNELD_ETCD_PASSWORD: 'p',
  FLANNELD_HEALTHZ_PORT: '1',
  NODE_NAME: 'n1',
}

describe('what a node shows of itself', () => {
  it.each([
    ['--subnet-file=/run/other/subnet.env', '/run/other/flanneld.sock'],
    ['--status-socket=/run/x.sock --subnet-file=/run/other/subnet.env', '/run/x.sock'],
    ['--status-socket=none', undefined],
    ['--status-socket=', '/run/flannel/flanneld.sock'],
  ])('%s: its status socket is %s', (line, path) => {
    expect(options(line.split(' ')).statusSocket).toBe(path)
  })

  it('names the flags that are not at their default, without secrets', () => {
    const args = ['--iface=eth1', '--iface=eth2', '--ip-masq', '--healthz-port=0', '--public-ip=10.7.7.7']
    const { given } = options(
      [...args, '--etcd-username=u', '--etcd-password=--geheim', '--etcd-cafile=//me:geheim@ca', '--iface-regex=^e'],
      { ...WITH, FLANNELD_ETCD_PASSWORD: 'geheim', FLANNELD_V: '1', FLANNELD_HEALTHZ_PORT: '' },
    )
    expect(given).toMatchObject({
      ...{ iface: 'eth1,eth2', 'ip-masq': 'true', 'public-ip': '10.7.7.7', v: '1', 'iface-regex': '^e' },
      ...{ 'etcd-username': 'u', 'etcd-certfile': 'c', 'etcd-endpoints': 'https://10.9.9.8:2379' },
    })
    expect(Object.keys(given ?? {})).not.toContain('healthz-port')
    expect(JSON.stringify(given)).not.toContain('geheim')
  })
})

/** As files for the environment have them whose reader takes nothing away. */
const quoted = [(text: string) => `"${text}"`, (text: string) => `'${text}'`, (text: string) => ` "${text} "\r`]

describe('every flag', () => {
  it('has a sample here', () => {
    const others = new Set(['version', 'licenses', 'check', 'help'])
    const names = Object.values(FLAGS).map(({ name }) => name)
    expect(Object.keys(SAMPLES).sort()).toEqual(names.filter((name) => !others.has(name)).sort())
  })

  it.each(Object.entries(SAMPLES))(
    '--%s %s is the same from the command line and from its variable, and other than the default',
    (name, sample) => {
      const given = options([`--${name}=${sample}`], WITH)
      expect(given).toEqual(options([], { ...WITH, [environmentName(name)]: sample }))
      expect(given).not.toEqual(options([], WITH))
      expect(options([`--${name}=${sample}`], { ...WITH, [environmentName(name)]: 'overruled' })).toEqual(given)
    },
  )

  it.each(quoted)('is read without the quotes and blanks around it, which are part of a password only: %#', (quote) => {
    const samples = Object.entries({ ...SAMPLES, 'etcd-username': 'u' }).filter(([name]) => name !== 'etcd-password')
    for (const [name, sample] of samples) {
      const given = options([`--${name}=${sample}`], WITH)
      expect(options([], { ...WITH, [environmentName(name)]: quote(sample) })).toEqual(given)
      expect(options([`--${name}=${quote(sample)}`], WITH)).toEqual(given)
    }
    const { etcd } = options([], { FLANNELD_ETCD_USERNAME: quote('u'), FLANNELD_ETCD_PASSWORD: quote('p') })
    expect(etcd).toMatchObject({ username: 'u', password: quote('p') })
    expect(options([], { FLANNELD_ETCD_PREFIX: quote('') }).etcd.prefix).toBe('/coreos.com/network')
  })
})

describe('a wrong command line is refused, naming the flag, what was expected and what was found', () => {
  it.each([
    ['--bogus', '--bogus', 'a flag of flanneld', '"--bogus"'],
    ['-bogus=5', '--bogus', 'a flag of flanneld', '"-bogus"'],
    ['-ifacex eth1', '--ifacex', 'a flag of flanneld', '"-ifacex"'],
    ['-iface=eth1 stray --bogus', '--bogus', 'a flag of flanneld', '"--bogus"'],
    ['eth1', 'arguments', 'flags only', '"eth1"'],
    ['-iface=a stray', 'arguments', 'flags only', '"stray"'],
    ['-- -iface=a', 'arguments', 'flags only', '"-iface=a"'],
    ['-v', '--v', 'a value after it', 'nothing'],
    ['--iface', '--iface', 'a value after it', 'nothing'],
    ['-v=loud', '--v', 'a whole number from 0 to 1000', '"loud"'],
    ['-v=1001', '--v', 'a whole number from 0 to 1000', '"1001"'],
    ['-v=-1', '--v', 'a whole number from 0 to 1000', '"-1"'],
    ['--log-format=xml', '--log-format', 'text or json', '"xml"'],
    ['-v=1e1', '--v', 'a whole number from 0 to 1000', '"1e1"'],
    ['--subnet-lease-renew-margin=0', '--subnet-lease-renew-margin', 'from 1 to 1439', '"0"'],
    ['--subnet-lease-renew-margin=1440', '--subnet-lease-renew-margin', 'from 1 to 1439', '"1440"'],
    ['--etcd-endpoints=,', '--etcd-endpoints', 'URLs such as', '","'],
    ['--etcd-endpoints=fd00::1', '--etcd-endpoints', 'an IPv6 address in brackets', '"fd00::1"'],
    ['--etcd-endpoints=http://me:hush@a:2379', '--etcd-endpoints', 'no user or password', '"http://…@a:2379"'],
    ['--etcd-endpoints=https://a,http://b', '--etcd-endpoints', 'https:// in all', '["http://b:2379"]'],
    ['--etcd-endpoints=http://a -etcd-cafile=ca', '--etcd-cafile', 'an https:// endpoint', '"ca"'],
    ['--etcd-username=u', '--etcd-password', 'the password of the user', 'nothing'],
    ['--etcd-password=hush', '--etcd-username', 'the user whom', 'nothing'],
    ['--etcd-endpoints=ftp://a:2379', '--etcd-endpoints', 'URLs such as', '"ftp://a:2379"'],
    ['--stale-peer-grace=-1', '--stale-peer-grace', 'a whole number from 0', '"-1"'],
    ['--etcd-prefix=/', '--etcd-prefix', 'a key such as', '"/"'],
    ['--etcd-endpoints=http://10.0,1:2379', '--etcd-endpoints', 'in place of 10.0', '"http://10.0,1:2379"'],
    ['--public-ip=eth0', '--public-ip', 'an IPv4 address', '"eth0"'],
    ['--public-ip=127.0.0.1', '--public-ip', 'other hosts can reach', '"127.0.0.1"'],
    ['--public-ip=fd00::1', '--public-ip', 'an IPv4 address', '"fd00::1"'],
    ['--version=perhaps', '--version', 'true or false', '"perhaps"'],
    ['--etcd-certfile=c', '--etcd-certfile and --etcd-keyfile', 'both or neither', '"c"'],
    ['--etcd-keyfile=k', '--etcd-certfile and --etcd-keyfile', 'both or neither', '"k"'],
  ])('flanneld %s', (line, path, expected, got) => {
    const error = complaint(line.split(' '))
    expect(error.path).toBe(path)
    expect(error.expected).toContain(expected)
    expect(error.got).toBe(got)
  })

  it('a password for nobody, without repeating it', () => {
    for (const error of [complaint(['--etcd-password=hunter2']), complaint([], { FLANNELD_ETCD_PASSWORD: 'hunter2' })])
      expect(error.message).toBe('--etcd-username: expected the user whom --etcd-password belongs to, found nothing')
  })

  it('never repeats the value of a misspelt flag: it may be a secret', () => {
    expect(complaint(['--etcd-pasword=hunter2']).message).not.toContain('hunter2')
  })
})

describe('flags of klog, which upstream takes', () => {
  const klogOf = (args: readonly string[]): unknown => {
    const invocation = readCommandLine(args, {})
    return invocation.kind === 'run' ? invocation.klog : []
  }

  it.each([
    ...['add_dir_header', 'alsologtostderr', 'logtostderr', 'one_output', 'skip_headers', 'skip_log_headers'],
    'legacy_stderr_threshold_behavior',
  ])('-%s is a switch, in every form, and changes nothing', (name) => {
    for (const arg of [`-${name}`, `--${name}`, `-${name}=true`, `--${name}=false`, `-${name}=0`]) {
      expect(options([arg, '-iface=eth1'])).toEqual(options(['-iface=eth1']))
      expect(klogOf([arg])).toEqual([name])
    }
  })

  it.each([
    ...['log_backtrace_at', 'log_dir', 'log_file', 'log_file_max_size', 'stderrthreshold', 'vmodule'],
    ...['alsologtostderrthreshold', 'log_link', 'logbuflevel'],
  ])('-%s takes a value, in every form, and changes nothing', (name) => {
    for (const args of [[`-${name}=x=1`], [`-${name}`, 'x'], [`--${name}`, '-iface'], [`--${name}=`]]) {
      expect(options([...args, '-iface=eth1'])).toEqual(options(['-iface=eth1']))
      expect(klogOf([...args, `-${name}=again`])).toEqual([name])
    }
    expect(complaint([`-${name}`]).message).toBe(`--${name}: expected a value after it, found nothing`)
  })

  it('are no flags after --', () => {
    expect(complaint(['--', '--logtostderr=true']).expected).toBe('flags only')
  })
})

describe('a flag of flannel before 0.8', () => {
  it.each([
    ['-listen=:8888', '--listen', 'speaks to etcd itself'],
    ['-remote 10.0.0.3:8888', '--remote', 'give each --etcd-endpoints'],
    ['-remote-keyfile=k', '--remote-keyfile', 'give each --etcd-endpoints'],
    ['-remote-certfile=c', '--remote-certfile', 'give each --etcd-endpoints'],
    ['--remote-cafile=c', '--remote-cafile', 'give each --etcd-endpoints'],
    ['-networks=blue,green', '--networks', 'give it --etcd-prefix and --subnet-file'],
    ['-watch-networks', '--watch-networks', 'give it --etcd-prefix and --subnet-file'],
    ['-subnet-dir /run/flannel/networks', '--subnet-dir', 'give it --etcd-prefix and --subnet-file'],
  ])('%s is refused, with since when it is gone and what to do instead', (line, path, instead) => {
    const error = complaint(line.split(' '))
    expect(error.path).toBe(path)
    expect(error.expected).toContain('to be left out: it is gone since flannel 0.8; ')
    expect(error.expected).toContain(instead)
  })
})

describe('what was meant', () => {
  it.each([
    ['--etcd-endpoint=http://a:2379', '--etcd-endpoints'],
    ['-etcd_endpoints=http://a:2379', '--etcd-endpoints'],
    ['--endpoints=http://a:2379', '--etcd-endpoints'],
    ['--etcd-servers=http://a:2379', '--etcd-endpoints'],
    ['--ETCD-PREFIX=/x', '--etcd-prefix'],
    ['--ifcae=eth1', '--iface'],
    ['--interface=eth1', '--iface'],
    ['-ipmasq', '--ip-masq'],
    ['--masq', '--ip-masq'],
    ['--public-ipv4=1.2.3.4', '--public-ip'],
    ['--etcd-ca-file=ca', '--etcd-cafile'],
    ['--etcd-key=k', '--etcd-keyfile'],
    ['--health-port=1', '--healthz-port'],
    ['-v10', '--v=10'],
    ['-vvv', '--v=3'],
  ])('by flanneld %s is %s', (flag, meant) => {
    expect(complaint([flag]).expected).toBe(`a flag of flanneld (did you mean ${meant}?)`)
  })

  it('is named as often as it can be, and not guessed where it is too often', () => {
    expect(complaint(['--prefix=/x']).expected).toContain('(did you mean --etcd-prefix or --kube-annotation-prefix?)')
    for (const flag of ['--etcd', '--bogus', '--ip', `--${'x'.repeat(10_000)}`])
      expect(complaint([flag]).expected).toBe('a flag of flanneld (see flanneld --help)')
  })

  it.each([
    ['--ip-masq true', '--ip-masq', '--ip-masq=true'],
    ['-ip-masq false', '--ip-masq', '--ip-masq=false'],
    ['-iface=a --iptables-forward-rules no -v=1', '--iptables-forward-rules', '--iptables-forward-rules=false'],
    ['--ip-masq ON', '--ip-masq', '--ip-masq=true'],
    ['-logtostderr 1', '--logtostderr', '--logtostderr=true'],
  ])('by flanneld %s is said: %s wants an equals sign', (line, path, written) => {
    expect(complaint(line.split(' '))).toMatchObject({
      path,
      expected: `its value after an equals sign (write ${written})`,
    })
    expect(complaint(['--ip-masq', 'eth1']).expected).toBe('flags only')
    expect(complaint(['--iface=true', 'true']).expected).toBe('flags only')
  })

  it('by a dash that an editor has made longer is said, without the value', () => {
    const error = complaint(['-v=1', '\u2013\u2013etcd-password=hunter2'])
    expect(error.message).toBe(
      'arguments: expected flags that begin with a plain "-" (write --etcd-password), found "--etcd-password"',
    )
  })
})

describe('the API server of Kubernetes', () => {
  const NODE = { NODE_NAME: 'n1' }
  const kube = (line: string, environment: Environment = NODE): DaemonOptions['kube'] =>
    options(['--kube-subnet-mgr', ...line.split(' ').filter((arg) => arg !== '')], environment).kube

  it('is asked only where --kube-subnet-mgr says so', () => {
    expect(options([], NODE).kube).toBeUndefined()
    expect(options(['-kube-subnet-mgr=false', '-kubeconfig-file=/k'], NODE).kube).toBeUndefined()
    expect(options([], { ...NODE, FLANNELD_KUBE_SUBNET_MGR: 'true' }).kube).toBeDefined()
  })

  it('is described by its flags, and by what the kubelet tells a container', () => {
    expect(kube('')).toEqual({
      ...{ apiUrl: undefined, kubeconfigFile: undefined, annotationPrefix: 'flannel.alpha.coreos.com/' },
      ...{ netConfigPath: '/etc/kube-flannel/net-conf.json', setsNetworkAvailable: true, nodeName: 'n1' },
      pod: undefined,
    })
    const line =
      '-kube-api-url https://10.0.0.1:6443/ --kubeconfig-file=/k --net-config-path /n -set-node-network-unavailable=0'
    const inPod = { POD_NAME: 'p', POD_NAMESPACE: 's', NODE_NAME: ' ' }
    expect(kube(line, inPod)).toMatchObject({
      ...{ apiUrl: 'https://10.0.0.1:6443', kubeconfigFile: '/k', netConfigPath: '/n', nodeName: undefined },
      ...{ setsNetworkAvailable: false, pod: { name: 'p', namespace: 's' } },
    })
  })

  it.each([
    ['example.com', 'example.com/'],
    ['example.com/', 'example.com/'],
    ['example.com/net', 'example.com/net-'],
    ['example.com/net-', 'example.com/net-'],
    ['a_b.example.com/x_1', 'a_b.example.com/x_1-'],
  ])('has annotations that begin, for --kube-annotation-prefix=%s, with %s', (given, prefix) => {
    expect(kube(`--kube-annotation-prefix=${given}`)?.annotationPrefix).toBe(prefix)
  })

  it.each([
    ['-kube-annotation-prefix=a.b/c/d', '--kube-annotation-prefix', 'behind one slash'],
    ['-kube-annotation-prefix=local', '--kube-annotation-prefix', 'a domain'],
    ['-kube-annotation-prefix=Example.com', '--kube-annotation-prefix', 'small letters'],
    ['-kube-annotation-prefix=!a.b', '--kube-annotation-prefix', 'a domain'],
    ['-kube-api-url=10.0.0.1:6443', '--kube-api-url', 'a URL such as https://'],
    ['-kube-api-url=https://me:geheim@a', '--kube-api-url', 'no user or password'],
    ['-set-node-network-unavailable=perhaps', '--set-node-network-unavailable', 'true or false'],
  ])('flanneld %s is refused', (line, path, expected) => {
    const error = complaint(['--kube-subnet-mgr', line], NODE)
    expect([error.path, error.expected]).toEqual([path, expect.stringContaining(expected)])
    expect(error.message).not.toContain('geheim')
  })

  it.each(['Worker-1', 'worker_1', '"worker-1"', 'a/status', '..', 'a'.repeat(254)])(
    'is not asked for a Node %s',
    (name) => {
      const { path, message } = complaint(['--kube-subnet-mgr'], { NODE_NAME: name })
      expect(path).toBe('NODE_NAME')
      expect(message).toContain('found ')
    },
  )

  it('is not asked for a Node that nobody names', () => {
    for (const environment of [{}, { POD_NAME: 'p' }, { NODE_NAME: '' }]) {
      const { path, expected } = complaint(['--kube-subnet-mgr'], environment)
      expect(path).toBe('--kube-subnet-mgr')
      expect(expected).toContain('NODE_NAME')
    }
  })

  it('makes flags of etcd mean nothing, which is said, and the other way round', () => {
    const given = (...args: readonly string[]): readonly string[] => Object.keys(options(args, NODE).given ?? {})
    expect(unreadOfOtherStore(given('-kube-subnet-mgr', '-etcd-prefix=/x', '-subnet-lease-renew-margin=7'), true)).toBe(
      '--etcd-prefix, --subnet-lease-renew-margin are not read: with --kube-subnet-mgr etcd is not asked',
    )
    expect(unreadOfOtherStore(given('-kubeconfig-file=/k'), false)).toBe(
      '--kubeconfig-file is not read: it is for --kube-subnet-mgr, which is not given',
    )
    const harmless = ['-kube-annotation-prefix=flannel.alpha.coreos.com', '-set-node-network-unavailable']
    expect(unreadOfOtherStore(given(...harmless), false)).toBeUndefined()
    expect(unreadOfOtherStore(given('-kube-subnet-mgr', '-stale-peer-grace=7'), true)).toBeUndefined()
  })
})

describe('--version and --help', () => {
  it('--check finds what a start would, and starts nothing', () => {
    expect(readCommandLine(['--check', '-iface=eth1'], {})).toMatchObject({ kind: 'run', isCheck: true })
    expect(readCommandLine(['-iface=eth1'], {})).toMatchObject({ kind: 'run', isCheck: false })
    expect(() => readCommandLine(['--check'], { FLANNELD_IP_MASQ: 'ture' })).toThrow('FLANNELD_IP_MASQ')
    expect(() => readCommandLine(['--check', '--kube-subnet-mgr'], {})).toThrow('NODE_NAME')
  })

  it.each(['-version', '--version', '-version=true', '-version=1', '--version=T'])(
    '%s asks for the version',
    (flag) => {
      expect(readCommandLine([flag], {})).toEqual({ kind: 'about', about: 'version' })
    },
  )

  it('--licenses asks for the licences, also where the rest of the command line is not to be had yet', () => {
    expect(readCommandLine(['-licenses', '--kube-subnet-mgr'], {})).toEqual({ kind: 'about', about: 'licenses' })
  })

  it('-version=false runs', () => {
    expect(options(['-version=false', '-help=0'])).toEqual(options([]))
  })

  it.each(['-h', '--h', '-help', '--help'])('%s explains every flag with its default, and the environment', (flag) => {
    const text = printed([flag])
    for (const { name, placeholder, help } of Object.values(FLAGS)) {
      expect(text).toContain(`--${name}${placeholder === undefined ? '' : ` <${placeholder}>`}`)
      expect([name, placeholder, help]).not.toContain('')
      expect(text.replace(/\s+/g, ' ')).toContain(help)
    }
    expect(text).toContain('/run/flannel/subnet.env')
    expect(text).toContain('FLANNELD_ETCD_ENDPOINTS')
  })

  it.each([
    ['flanneld', printed(['--help'])],
    ['flanneld cleanup', CLEANUP_HELP],
    ['flanneld docker-opts', DOCKER_OPTS_HELP],
    ['flanneld cni', CNI_HELP],
  ])('the help of %s fits into 99 columns, and fills them', (_, text) => {
    const widths = text.split('\n').map(({ length }) => length)
    expect(widths.filter((width) => width > 99)).toEqual([])
    expect(Math.max(...widths)).toBeGreaterThan(75)
  })

  it('help works also where the environment asks for what is not there yet', () => {
    const invocation = readCommandLine(['-help'], { FLANNELD_IP_MASQ: 'true' })
    expect(invocation.kind).toBe('print')
  })
})
