import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import type { CommandEnd } from '../../../src/cli/commands.ts'
import { dockerOpts } from '../../../src/docker/docker-opts.ts'

const SUBNET_ENV = 'FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.2.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n'
const DUAL_STACK = `${SUBNET_ENV}FLANNEL_IPV6_NETWORK=fd00:1::/48\nFLANNEL_IPV6_SUBNET=fd00:1:0:2::1/64\n`

interface Run extends CommandEnd {
  readonly written: ReadonlyMap<string, string>
}

const SUBNET_FILE = '/run/flannel/subnet.env'
const OUTPUT = '/run/docker_opts.env'

async function run(
  args: readonly string[],
  text: string | Readonly<Record<string, string>> = SUBNET_ENV,
  environment: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const present = typeof text === 'string' ? { [SUBNET_FILE]: text } : text
  const written = new Map<string, string>()
  const end = await dockerOpts(args, environment, {
    read: (path) => {
      const found = present[path]
      return found === undefined
        ? Promise.reject(new Error('ENOENT: no such file or directory'))
        : Promise.resolve(found)
    },
    write: (path, what) => {
      if (path.startsWith('/proc/')) return Promise.reject(new Error('EACCES: permission denied'))
      written.set(path, what)
      return Promise.resolve()
    },
  })
  return { ...end, written }
}

const outputOf = async (...given: Parameters<typeof run>): Promise<string | undefined> => {
  const { written, stderr } = await run(...given)
  expect(stderr).toBe('')
  return written.get(OUTPUT)
}

/** What was asked for cannot be: this exit code, these words, and no file. */
function expectRefusal({ code, stderr, written }: Run, expected: 1 | 2, words: string): void {
  expect(stderr).toContain(words)
  expect({ code, files: written.size }).toEqual({ code: expected, files: 0 })
}

const INDIVIDUAL =
  'DOCKER_OPT_BIP="--bip=10.1.2.1/24"\nDOCKER_OPT_IPMASQ="--ip-masq=false"\nDOCKER_OPT_MTU="--mtu=1450"\n'
const COMBINED = 'DOCKER_OPTS=" --bip=10.1.2.1/24 --ip-masq=false --mtu=1450"\n'

describe('flanneld docker-opts writes, to the byte as mk-docker-opts.sh does,', () => {
  it.each([
    { title: 'both forms without options', args: [], expected: INDIVIDUAL + COMBINED },
    { title: 'single variables with -i', args: ['-i'], expected: INDIVIDUAL },
    { title: 'the combined variable with -c', args: ['-c'], expected: COMBINED },
    { title: 'both with -ic', args: ['-ic'], expected: INDIVIDUAL + COMBINED },
    {
      title: 'the combined variable under another name with -k',
      args: ['-c', '-k', 'DOCKER_NETWORK_OPTIONS'],
      expected: 'DOCKER_NETWORK_OPTIONS=" --bip=10.1.2.1/24 --ip-masq=false --mtu=1450"\n',
    },
    {
      title: 'nothing about masquerading with -m',
      args: ['-m', '-c'],
      expected: 'DOCKER_OPTS=" --bip=10.1.2.1/24 --mtu=1450"\n',
    },
  ])('$title', async ({ args, expected }) => {
    expect(await outputOf(args)).toBe(expected)
  })

  it('that Docker masquerades when we do not', async () => {
    expect(await outputOf(['-c'], SUBNET_ENV.replace('true', 'false'))).toBe(
      'DOCKER_OPTS=" --bip=10.1.2.1/24 --ip-masq=true --mtu=1450"\n',
    )
  })

  it('no option for a variable that is not there', async () => {
    expect(await outputOf(['-c'], 'FLANNEL_SUBNET=10.1.2.1/24\n')).toBe('DOCKER_OPTS=" --bip=10.1.2.1/24"\n')
  })

  it('what the environment already holds, before ours and overruled by it', async () => {
    const environment = {
      DOCKER_OPTS: '-H fd://',
      DOCKER_OPT_BIP: '--bip=1.1.1.1/8',
      DOCKER_OPT_LOG: '--log-level=warn',
    }
    expect(await outputOf([], SUBNET_ENV, environment)).toBe(
      'DOCKER_OPT_BIP="--bip=10.1.2.1/24"\nDOCKER_OPT_IPMASQ="--ip-masq=false"\n' +
        'DOCKER_OPT_LOG="--log-level=warn"\nDOCKER_OPT_MTU="--mtu=1450"\n' +
        'DOCKER_OPTS="-H fd://  --bip=10.1.2.1/24 --ip-masq=false --log-level=warn --mtu=1450"\n',
    )
  })
})

describe('flanneld docker-opts', () => {
  it('says nothing of IPv6 unless asked with -6', async () => {
    expect(await outputOf(['-c'], DUAL_STACK)).toBe(COMBINED)
    expect(await outputOf(['-c6'], DUAL_STACK)).toBe(
      'DOCKER_OPTS=" --bip=10.1.2.1/24 --fixed-cidr-v6=fd00:1:0:2::/64 --ip-masq=false --ipv6=true --mtu=1450"\n',
    )
    expect(await outputOf(['-c6'], SUBNET_ENV)).toBe(COMBINED)
  })

  it('reads and writes where it is told', async () => {
    const { written, code } = await run(['-f', '/a b/subnet.env', '-d/etc/x.env', '-c'], {
      '/a b/subnet.env': SUBNET_ENV,
    })
    expect({ code, written: [...written] }).toEqual({ code: 0, written: [['/etc/x.env', COMBINED]] })
  })

  it('reads what a person or a shell may have made of the file', async () => {
    const text =
      '# by hand\r\n\r\nexport FLANNEL_SUBNET="10.9.9.9/8"\r\n FLANNEL_SUBNET=\'10.1.2.1/24\'\nOTHER=$(reboot)\nFLANNEL_MTU=\n'
    expect(await outputOf(['-c'], text)).toBe('DOCKER_OPTS=" --bip=10.1.2.1/24"\n')
  })

  it('prints its usage when asked', async () => {
    for (const flag of ['-h', '--help', '-?']) expect((await run([flag])).stdout).toContain('docker-opts [-f FILE]')
  })

  it.each([
    [['-x'], '-x: expected a flag of flanneld docker-opts (see flanneld docker-opts --help), found "-x"\n'],
    [['--noMasq'], '--noMasq: expected a flag of flanneld docker-opts'],
    [['-c', '--combined=1'], '--combined: expected a flag of flanneld docker-opts'],
    [['--help=1'], '--help: expected no value, found "1"'],
    [['-f', '-c'], '-f: expected a value after it, found "-c"'],
    [['-k', 'A B'], '-k: expected the name of a variable'],
    [['-k', 'X;reboot'], '-k: expected the name of a variable'],
    [['-k', 'DOCKER_OPT_BIP'], 'not beginning with DOCKER_OPT_'],
    [['-f'], '-f: expected a value after it, found nothing'],
    [['-d', ''], '-d: expected the path of a file'],
    [['stray'], 'arguments: expected flags only, found "stray"'],
    [['--', '-c'], 'arguments: expected flags only, found "-c"'],
  ])('takes %j for bad usage: exit code 2', async (args, message) => {
    expectRefusal(await run(args), 2, message)
  })

  it.each(['a"b', '$(reboot)', '`reboot`', 'a\nb', 'a\\'])(
    'refuses %j in the environment: exit code 2',
    async (value) => {
      expectRefusal(await run([], SUBNET_ENV, { DOCKER_OPTS: value }), 2, 'the variable DOCKER_OPTS: expected')
    },
  )

  it('fails with exit code 1 when flanneld has not written its file yet', async () => {
    expectRefusal(await run([], {}), 1, `cannot read ${SUBNET_FILE}, which a running flanneld writes: ENOENT`)
  })

  it.each(['PATH', 'HOME', 'IFS', 'LD_PRELOAD', 'LC_ALL', 'BASH_ENV', 'NODE_OPTIONS', 'GODEBUG', 'https_proxy'])(
    'does not take -k %s, which means something to who reads the file: exit code 2',
    async (name) => {
      expectRefusal(
        await run(['-k', name]),
        2,
        '-k: expected a name that no shell, loader or runtime takes for its own',
      )
    },
  )

  it('fails with exit code 1 when it cannot write', async () => {
    expectRefusal(await run(['-d', '/proc/x']), 1, 'cannot write /proc/x: EACCES')
  })

  it.each([
    ['FLANNEL_SUBNET=10.1.2.1', ':1 FLANNEL_SUBNET: expected an IPv4 address'],
    ['\nFLANNEL_SUBNET=10.1.2.0/24', ':2 FLANNEL_SUBNET: expected an IPv4 address'],
    ['FLANNEL_SUBNET=10.1.2.1/31', ':1 FLANNEL_SUBNET: expected'],
    ['FLANNEL_SUBNET=fd00::1/64', ':1 FLANNEL_SUBNET: expected'],
    ['FLANNEL_SUBNET=$(reboot)', ':1 FLANNEL_SUBNET: expected'],
    ['FLANNEL_MTU=1450', ' FLANNEL_SUBNET: expected a subnet'],
    ['', ' FLANNEL_SUBNET: expected a subnet'],
    [`${SUBNET_ENV}FLANNEL_MTU=67`, ':5 FLANNEL_MTU: expected a number of octets from 68 to 65535, found "67"'],
    [`${SUBNET_ENV}FLANNEL_MTU=0x5dc`, ':5 FLANNEL_MTU: expected'],
    [`${SUBNET_ENV}FLANNEL_IPMASQ=yes`, ':5 FLANNEL_IPMASQ: expected true or false, found "yes"'],
    [`${SUBNET_ENV}FLANNEL_IPV6_SUBNET=10.1.2.1/24`, ':5 FLANNEL_IPV6_SUBNET: expected an IPv6 address'],
    [`${SUBNET_ENV}reboot`, ':5: expected NAME=value, a comment or nothing, found "reboot"'],
  ])('names the line of %j that is wrong: exit code 1, nothing written', async (text, message) => {
    expectRefusal(await run(['-6'], text), 1, `${SUBNET_FILE}${message}`)
  })

  it('writes what a shell reads as exactly these options', async () => {
    const text = await outputOf([], SUBNET_ENV, { DOCKER_OPTS: "-H tcp://[::1]:2375 --label 'a*b' !x & ; #y" })
    const script = `${text ?? ''}printf %s "$DOCKER_OPTS|$DOCKER_OPT_BIP"`
    expect(execFileSync('sh', ['-c', script], { encoding: 'utf8' })).toBe(
      "-H tcp://[::1]:2375 --label 'a*b' !x & ; #y  --bip=10.1.2.1/24 --ip-masq=false --mtu=1450|--bip=10.1.2.1/24",
    )
  })
})
