import { defineConfig } from 'vitest/config'

/** Long tests that run once, wherever the others run twice. */
const FAULTS = ['test/e2e/faults/**/*.test.ts', 'test/e2e/soak.test.ts']

const CORE = ['test/{unit,property,golden,soak}/**/*.test.ts']

/**
 * Those that put others in the place of modules (`vi.mock`). All the rest of `core` shares its processes, with the modules that are loaded
 * in them: to start one and load everything for each file took as long as the tests.
 */
const WITH_MODULES_MADE_UP = ['test/property/agent.test.ts']

/**
 * They compute, and what waits has a deadline of its own. Half a minute of a processor takes ten where they get a twentieth of one, behind
 * the laboratories: such a limit is there for what never ends.
 */
const COMPUTED = { testTimeout: 600_000, hookTimeout: 600_000 }

/** Stops whoever runs a suite outside of the laboratory. */
const IN_LAB = { setupFiles: ['test/setup/inside-lab.ts'] }

/** What every suite on whole hosts needs: time, and the laboratory for itself. */
const WHOLE_HOSTS = { ...IN_LAB, testTimeout: 120_000, hookTimeout: 120_000, fileParallelism: false }

/**
 * Suites by what they need: `core` (with `core-alone`) runs anywhere; the others run inside the rootless lab namespace (test/run.mjs enters it, for
 * `e2e`, `faults` and `root` several times, with a part of the files each). `root` does so with the rights of
 * the machine's root.
 */
export default defineConfig({
  test: {
    passWithNoTests: false,
    projects: [
      { test: { name: 'core', include: CORE, exclude: WITH_MODULES_MADE_UP, isolate: false, ...COMPUTED } },
      { test: { name: 'core-alone', include: WITH_MODULES_MADE_UP, ...COMPUTED } },
      {
        test: { name: 'kernel', include: ['test/kernel/**/*.test.ts'], ...IN_LAB, isolate: false, testTimeout: 60_000 },
      },
      { test: { name: 'etcd', include: ['test/etcd/**/*.test.ts'], ...IN_LAB, isolate: false, testTimeout: 60_000 } },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: FAULTS,
          ...WHOLE_HOSTS,
        },
      },
      { test: { name: 'root', include: ['test/root/**/*.test.ts'], ...WHOLE_HOSTS } },
      { test: { name: 'kube', include: ['test/kube/**/*.test.ts'], ...WHOLE_HOSTS } },
      { test: { name: 'faults', include: FAULTS, ...WHOLE_HOSTS } },
    ],
  },
})
