import type { ForeignRules, ForeignVerdicts, OverlayPath, TunnelEnd } from '../../src/kernel/foreign-rules.ts'

/** A host whose other rules do what a test says. */
export class FakeForeignRules implements ForeignRules {
  /** Undefined: they cannot be read. */
  verdicts: ForeignVerdicts | undefined = { drops: [], masquerades: [] }
  looks = 0
  /** What was asked about last. */
  asked: { readonly paths: readonly OverlayPath[]; readonly tunnels: readonly TunnelEnd[] } = { paths: [], tunnels: [] }

  judge(paths: readonly OverlayPath[], tunnels: readonly TunnelEnd[]): Promise<ForeignVerdicts | undefined> {
    this.looks++
    this.asked = { paths, tunnels }
    return Promise.resolve(this.verdicts)
  }
}
