import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Firewall, FirewallKind, FirewallReport, FirewallSpec } from '../../src/kernel/firewall.ts'
import { prefix } from '../../src/net/prefix.ts'

/** A firewall under test, and somebody else on its host. */
export interface FirewallHarness {
  readonly firewall: Firewall
  /** Somebody takes away a part of the rules that stand in this kind. */
  spoil(kind: FirewallKind): Promise<void>
  /** The programs are not there any more, or are again. */
  setInstalled(isInstalled: boolean): void
  dispose(): Promise<void>
}

const QUIET: FirewallReport = { changed: [], stands: true, problems: [] }
const NONE = { masquerade: false, forward: false } as const
const KINDS: readonly FirewallKind[] = ['nftables', 'iptables']

const specOf = (kind: FirewallKind): FirewallSpec => ({
  kind,
  families: [
    { network: prefix('10.0.0.0/8'), subnet: prefix('10.20.0.0/20') },
    { network: prefix('fd00:10::/32'), subnet: prefix('fd00:10:1::/64') },
  ],
  masquerade: true,
  randomFully: true,
  forward: true,
})

/**
 * What every {@link Firewall} keeps to, the one in memory as the real one.
 * @param kinds in which of them
 */
export function firewallContract(title: string, make: () => Promise<FirewallHarness>, kinds = KINDS): void {
  describe.each(kinds)(`${title}, in %s`, (kind) => {
    const spec = specOf(kind)
    const other = kind === 'nftables' ? 'iptables' : 'nftables'
    const signal = AbortSignal.timeout(600_000)
    let harness: FirewallHarness
    let firewall: Firewall
    beforeEach(async () => {
      harness = await make()
      firewall = harness.firewall
    })
    afterEach(() => harness.dispose())

    const written = async (asked: FirewallSpec): Promise<number> => {
      const { changed, ...rest } = await firewall.sync(asked, signal)
      expect(rest).toEqual({ stands: true, problems: [] })
      return changed.length
    }

    it('writes what is asked for, and nothing while it stands', async () => {
      expect(await written(spec)).toBeGreaterThan(0)
      for (let look = 0; look < 2; look++) expect(await firewall.sync(spec, signal)).toEqual(QUIET)
    })

    it('puts right what somebody has taken away', async () => {
      await firewall.sync(spec, signal)
      await harness.spoil(kind)
      expect(await written(spec)).toBeGreaterThan(0)
      expect(await firewall.sync(spec, signal)).toEqual(QUIET)
    })

    it('follows what is asked for', async () => {
      await firewall.sync(spec, signal)
      expect(await written({ ...spec, masquerade: false })).toBeGreaterThan(0)
      expect(await written({ ...spec, kind: other })).toBeGreaterThan(0)
      expect(await firewall.sync({ ...spec, kind: other }, signal)).toEqual(QUIET)
    })

    it('removes what is asked for no more, and lists before what stands', async () => {
      expect(await firewall.planRemoval(signal)).toEqual({ standing: [], problems: [] })
      await firewall.sync(spec, signal)
      expect((await firewall.planRemoval(signal)).standing.length).toBeGreaterThan(0)
      expect(await written({ ...spec, ...NONE })).toBeGreaterThan(0)
      expect(await firewall.planRemoval(signal)).toEqual({ standing: [], problems: [] })
      expect(await firewall.sync({ ...spec, ...NONE }, signal)).toEqual(QUIET)
    })

    it('removes all of it, and says what that was', async () => {
      await firewall.sync(spec, signal)
      const { changed, ...rest } = await firewall.removeAll(signal)
      expect(rest).toEqual({ stands: true, problems: [] })
      expect(changed.length).toBeGreaterThan(0)
      expect(await firewall.planRemoval(signal)).toEqual({ standing: [], problems: [] })
      expect(await firewall.removeAll(signal)).toEqual(QUIET)
    })

    it('does not stand without its programs, says which, and writes once they are there', async () => {
      harness.setInstalled(false)
      for (let look = 0; look < 2; look++) {
        const report = await firewall.sync(spec, signal)
        expect(report).toMatchObject({ changed: [], stands: false })
        expect(new Set(report.problems.map(({ code }) => code))).toEqual(new Set(['MISSING']))
        for (const { message } of report.problems) expect(message).toMatch(/is not installed: install/)
      }
      harness.setInstalled(true)
      expect(await written(spec)).toBeGreaterThan(0)
    })

    it('has nothing to say without its programs where nothing is asked for, nor to remove', async () => {
      harness.setInstalled(false)
      expect(await firewall.sync({ ...spec, ...NONE }, signal)).toEqual(QUIET)
      expect(await firewall.planRemoval(signal)).toEqual({ standing: [], problems: [] })
      expect(await firewall.removeAll(signal)).toEqual(QUIET)
    })

    it('does not begin what is called off', async () => {
      const over = AbortSignal.abort(new Error('called off'))
      await expect(firewall.sync(spec, over)).rejects.toThrow('called off')
      expect(await firewall.planRemoval(signal)).toEqual({ standing: [], problems: [] })
    })
  })
}
