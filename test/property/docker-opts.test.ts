import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dockerOpts } from '../../src/docker/docker-opts.ts'
import { renderSubnetEnv } from '../../src/host/subnet-env.ts'
import { OVERLAY } from '../fake/samples.ts'
import { prefixIn, rawText, subnetFileText } from './arbitraries.ts'

async function run(args: readonly string[], environment: Readonly<Record<string, string>>, text: string) {
  const written: string[] = []
  const end = await dockerOpts(args, environment, {
    read: () => Promise.resolve(text),
    write: (_path, what) => {
      written.push(what)
      return Promise.resolve()
    },
  })
  return { ...end, written }
}

const NAMES = ['SUBNET', 'MTU', 'IPMASQ', 'NETWORK', 'IPV6_SUBNET'].map((name) => `FLANNEL_${name}`)
const value = fc.oneof(
  fc.string(),
  rawText,
  fc.constantFrom('10.1.2.1/24', '1450', 'true', 'fd00::1/64', '"10.1.2.1/24"', '$(reboot)', '"; reboot'),
)
const line = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.tuple(fc.constantFrom(...NAMES), value).map(([name, text]) => `${name}=${text}`),
)
const subnetFile = fc.oneof(
  fc.array(line).map((lines) => ['FLANNEL_SUBNET=10.1.2.1/24', ...lines].slice(lines.length % 2).join('\n')),
  subnetFileText,
)
const args = fc.oneof(
  fc.subarray(['-i', '-c', '-m', '-6', '-k', 'KEY', '-f', '/x']),
  fc.array(
    fc.oneof(
      fc.string(),
      fc.string().map((text) => `-${text}`),
    ),
  ),
)
const environment = fc.dictionary(
  fc.constantFrom('DOCKER_OPTS', 'DOCKER_OPT_A', 'DOCKER_OPT_BIP', 'KEY', 'HOME'),
  value,
)

/** A variable whose value no shell looks into. */
const ASSIGNMENT = /^[A-Za-z_]\w*="[^"\\$`\p{Cc}]*"$/u

/** A subnet file as flanneld writes it. */
const goodFile = fc
  .tuple(prefixIn(4, 8, 30), fc.integer({ min: 68, max: 65_535 }), fc.boolean(), prefixIn(6, 16, 126), fc.boolean())
  .map(([subnet, mtu, ipMasq, ipv6, isDual]) => {
    const text = renderSubnetEnv({ subnets: [{ overlay: OVERLAY, subnet }], mtu, ipMasq })
    return isDual ? `${text}FLANNEL_IPV6_SUBNET=${ipv6.text}\n` : text
  })

/** Small things that people and tools do to it; some do no harm. */
const DEFECTS: readonly ((text: string, at: number) => string)[] = [
  (text) => text,
  (text) => text.replaceAll('\n', '\r\n'),
  (text) => `# written by hand\n\n${text}`,
  (text) => text.trimEnd().split('\n').reverse().join('\n'),
  (text) => text.replaceAll(/=(.*)/g, '="$1"'),
  (text) => text.replaceAll(/=(.*)/g, "='$1'"),
  (text) => text + text,
  (text, at) =>
    text
      .split('\n')
      .filter((_, line) => line !== at % 4)
      .join('\n'),
  (text) => text.replace(/MTU=.*/, 'MTU='),
  (text) => text.replace(/MTU=.*/, 'MTU=65536'),
  (text) => text.replace(/(SUBNET=[^/]*)\/.*/, '$1/31'),
  (text) => text.replace('IPMASQ=', 'IPMASQ=not '),
  (text) => text.replaceAll('=', ' = '),
  (text, at) => text.slice(0, at % (text.length + 1)),
  (text) => `${text}$(reboot)\n`,
]
const almostGoodFile = fc
  .tuple(goodFile, fc.constantFrom(...DEFECTS), fc.nat())
  .map(([text, spoil, at]) => spoil(text, at))

const valueIn = (text: string, name: string): string | undefined =>
  Array.from(text.matchAll(new RegExp(`^FLANNEL_${name}=["']?([^"'\\r\\n]*)`, 'gm')), ([, value]) => value).at(-1)

describe('flanneld docker-opts', () => {
  it('makes of a file with a small defect what the file says, or refuses it', async () => {
    const seen = { taken: 0, refused: 0 }
    const flags = fc.subarray(['-i', '-c', '-m', '-6'])
    await fc.assert(
      fc.asyncProperty(flags, almostGoodFile, async (given, text) => {
        const { code, stderr, written } = await run(given, {}, text)
        if (code !== 0) {
          expect(stderr).toMatch(/^flanneld docker-opts: ./)
          expect(written).toEqual([])
          seen.refused += 1
          return
        }
        seen.taken += 1
        const options: readonly string[] = (written[0] ?? '').match(/--[^\s"]+/g) ?? []
        expect(options).toContain(`--bip=${valueIn(text, 'SUBNET') ?? ''}`)
        const mtu = valueIn(text, 'MTU') ?? ''
        expect(options.some((option) => option.startsWith('--mtu='))).toBe(mtu !== '')
        if (mtu !== '') expect(options).toContain(`--mtu=${mtu}`)
        const isV6 = given.includes('-6') && (valueIn(text, 'IPV6_SUBNET') ?? '') !== ''
        expect(options.includes('--ipv6=true')).toBe(isV6)
        expect(options.some((option) => option.startsWith('--ip-masq='))).toBe(
          !given.includes('-m') && (valueIn(text, 'IPMASQ') ?? '') !== '',
        )
      }),
      { numRuns: 500 },
    )
    expect(seen.taken).toBeGreaterThan(200)
    expect(seen.refused).toBeGreaterThan(50)
  })

  it('ends with a file of plain assignments or with a message, whatever it reads', async () => {
    await fc.assert(
      fc.asyncProperty(args, environment, subnetFile, async (flags, variables, text) => {
        const { code, stdout, stderr, written } = await run(flags, variables, text)
        if (code !== 0) {
          expect(stderr).toMatch(/^flanneld docker-opts: ./)
          expect(written).toEqual([])
        } else if (stdout === '') {
          expect(written).toHaveLength(1)
          for (const assignment of (written[0] ?? '').split('\n').slice(0, -1)) expect(assignment).toMatch(ASSIGNMENT)
        }
      }),
    )
  })

  it('takes every subnet file that flanneld writes', async () => {
    await fc.assert(
      fc.asyncProperty(
        prefixIn(4, 2, 30),
        fc.integer({ min: 68, max: 65_535 }),
        fc.boolean(),
        async (subnet, mtu, ipMasq) => {
          const text = renderSubnetEnv({ subnets: [{ overlay: OVERLAY, subnet }], mtu, ipMasq })
          const [, address = ''] = /FLANNEL_SUBNET=(.*)/.exec(text) ?? []
          expect((await run(['-c'], {}, text)).written).toEqual([
            `DOCKER_OPTS=" --bip=${address} --ip-masq=${!ipMasq} --mtu=${mtu}"\n`,
          ])
        },
      ),
    )
  })
})
