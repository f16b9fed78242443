/**
 * How often a property is tried: `FUZZ_RUNS` times where that is set, and otherwise as often as its author thought right, or the share
 * `FUZZ_SHARE` of it where properties are tried elsewhere as well.
 */
export const fuzzRuns = (usual: number): number =>
  Number(process.env['FUZZ_RUNS'] ?? Math.ceil(usual * Number(process.env['FUZZ_SHARE'] ?? 1)))
