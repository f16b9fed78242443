/**
 * How often a property is tried: `FUZZ_RUNS` times where that is set, and otherwise as often as its author thought right, or the share
 * `FUZZ_SHARE` of it where properties are tried elsewhere as well.
 *
 * What is expected of how many of them (that so many were accepted, say) is there to notice a generator that makes nothing of interest any
 * more. Seeds are others each time: such a bound lies six standard deviations from the mean, at the fewest runs (a quarter, on one of the
 * Nodes; a hundred, where mutants are tried).
 */
export const fuzzRuns = (usual: number): number =>
  Number(process.env['FUZZ_RUNS'] ?? Math.ceil(usual * Number(process.env['FUZZ_SHARE'] ?? 1)))
