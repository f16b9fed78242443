import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dockerOptionsFrom } from '../../src/docker/docker-options.ts'
import { CniError } from '../../src/cni/errors.ts'
import { parseOverlay } from '../../src/cni/overlay.ts'
import { ConfigError } from '../../src/config/error.ts'
import { isSubnetEnv, parseSubnets, renderSubnetEnv } from '../../src/host/subnet-env.ts'
import { OVERLAY, overlayOf } from '../fake/samples.ts'
import { nearSubnetFile, prefixIn, subnetFileText } from './arbitraries.ts'

const OVERLAY_V6 = overlayOf('{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00:10::/48"}')

describe('the subnet file', () => {
  it('gives back the subnets it was written with', () => {
    fc.assert(
      fc.property(
        prefixIn(4, 2, 30),
        fc.option(prefixIn(6, 2, 126)),
        fc.nat(65_535),
        fc.boolean(),
        (v4, v6, mtu, ipMasq) => {
          const subnets = [
            { overlay: OVERLAY, subnet: v4 },
            ...(v6 === null ? [] : [{ overlay: OVERLAY_V6, subnet: v6 }]),
          ]
          expect(parseSubnets(renderSubnetEnv({ subnets, mtu, ipMasq }))).toEqual(subnets.map(({ subnet }) => subnet))
        },
      ),
    )
  })

  it('is read without a throw, whatever it says: as far as it is one, for containers, and for Docker', () => {
    const taken = { files: 0, overlays: 0, options: 0 }
    const runs = 3_000
    fc.assert(
      fc.property(fc.oneof(subnetFileText, nearSubnetFile), (text) => {
        expect(parseSubnets(text).length).toBeLessThanOrEqual(2)
        if (isSubnetEnv(text)) taken.files++
        const overlay = orError(CniError, () => parseOverlay('/run/x', text))
        if (overlay instanceof CniError)
          expect([overlay.code, overlay.details]).toEqual([6, expect.stringMatching(/./)])
        else {
          taken.overlays++
          expect(overlay.subnets.length * overlay.networks.length).toBeGreaterThan(0)
          expect(overlay.subnets.map(({ family }) => family)).toEqual(parseSubnets(text).map(({ family }) => family))
        }
        const options = orError(ConfigError, () => dockerOptionsFrom('/run/x', text, { ipMasq: true, ipv6: true }))
        if (options instanceof ConfigError) expect(options.message.length).toBeLessThan(600)
        else {
          taken.options++
          for (const [, option] of options) expect(option).toMatch(/^--[a-z0-9-]+=[a-z0-9.:/]+$/)
        }
      }),
      { numRuns: runs },
    )
    for (const count of Object.values(taken)) {
      expect(count).toBeGreaterThan(runs / 5)
      expect(count).toBeLessThan((runs * 4) / 5)
    }
  })

  it('is told from other files in no time, however it repeats itself', () => {
    const repeated = fc.tuple(
      fc.constantFrom('FLANNEL_A=', 'FLANNEL_A=\n', 'FLANNEL_A=x', '=', '\n', '"'),
      fc.integer({ min: 1, max: 20_000 }),
      fc.constantFrom('', '\n\n', ' ', 'PATH=x'),
    )
    fc.assert(
      fc.property(repeated, ([piece, times, end]) => {
        const before = process.cpuUsage()
        const text = piece.repeat(times) + end
        isSubnetEnv(text)
        parseSubnets(text)
        expect(process.cpuUsage(before).user).toBeLessThan(1_000_000) // µs of processor time
      }),
    )
  })
})

function orError<T, E extends Error>(type: new (...args: never[]) => E, parse: () => T): T | E {
  try {
    return parse()
  } catch (error) {
    if (error instanceof type) return error
    throw error
  }
}
