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

describe('flanneld docker-opts', () => {
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
