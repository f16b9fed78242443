import { defineConfig } from 'vitest/config'

/** Suites by what they need: `core` runs anywhere; `kernel`, `etcd` and `e2e` run inside the rootless lab namespace (test/run.mjs enters it). */
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
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
