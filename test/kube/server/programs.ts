import { existsSync } from 'node:fs'
import { waitFor } from '../../lab/wait-for.ts'
import { kubeProblem, kubeProgram } from '../../setup/kube-programs.mjs'

/** Programs of other people's that tests of the Kubernetes mode are judged by, as their paths. */
export interface KubePrograms {
  /** kube-apiserver, as its authors release it. */
  readonly apiServer: string
  /** Renders charts, with Helm's own code. */
  readonly chart: string
}

/** How long a build that runs is waited for. */
const BUILT_WITHIN = { deadlineMs: 900_000, everyMs: 500 }

/**
 * Waits for a build that runs (test/run.mjs), and does not begin one: here there may be no network.
 * @returns the programs; or why there are none, for tests to be skipped with
 */
export async function kubePrograms(): Promise<KubePrograms | string> {
  const programs = { apiServer: kubeProgram('kube-apiserver'), chart: kubeProgram('chart') }
  const areBuilt = (): boolean => Object.values(programs).every((path) => existsSync(path))
  if (process.env['FLANNEL_KUBE_BUILD'] === 'runs')
    await waitFor('a kube-apiserver', () => areBuilt() || existsSync(kubeProblem()), BUILT_WITHIN)
  if (areBuilt()) return programs
  const hindrance = 'there is no real Kubernetes API server: node test/setup/kube-programs.mjs says why'
  process.stderr.write(`Tests are skipped, for ${hindrance}\n`)
  return hindrance
}
