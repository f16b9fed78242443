import { defineConfig } from 'vitest/config'

/** What every suite on whole hosts needs: time, and the laboratory for itself. */
const WHOLE_HOSTS = { testTimeout: 120_000, hookTimeout: 120_000, fileParallelism: false }

/**
 * Suites by what they need: `core` runs anywhere; the others run inside the rootless lab namespace (test/run.mjs enters it, for
 * `faults` twice, with a half of the files each).
 */
export default defineConfig({
  test: {
    passWithNoTests: false,
    projects: [
      { test: { name: 'core', include: ['test/{unit,property,golden}/**/*.test.ts'], testTimeout: 30_000 } },
      { test: { name: 'kernel', include: ['test/kernel/**/*.test.ts'], testTimeout: 60_000 } },
      { test: { name: 'etcd', include: ['test/etcd/**/*.test.ts'], testTimeout: 60_000 } },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: ['test/e2e/faults/**'],
          ...WHOLE_HOSTS,
        },
      },
      { test: { name: 'faults', include: ['test/e2e/faults/**/*.test.ts'], ...WHOLE_HOSTS } },
    ],
  },
})
