import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CommandLine } from '../lab/command.ts'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const [BUNDLE, EXECUTABLE] = [join(ROOT, 'dist/flanneld.cjs'), join(ROOT, 'dist/flanneld')]

/** A way to run the agent, and a program of the same kind that does nothing. */
export interface Kind {
  readonly name: string
  readonly agent: CommandLine
  /** Ends at once; given the argument `stay`, it does. */
  readonly empty: CommandLine
}

/** The single executable. @param folder where an empty one is made */
export function executableKind(folder: string): Kind {
  const empty = join(folder, 'empty')
  execFileSync(process.execPath, [join(ROOT, 'packaging/build.mjs'), '--empty', empty])
  return { name: 'dist/flanneld', agent: [EXECUTABLE], empty: [empty] }
}

/** The bundle on the Node that is inside the executable. */
export function bundleKind(folder: string): Kind {
  const [node, empty] = [nodeInside(), join(folder, 'empty.cjs')]
  writeFileSync(empty, "if (process.argv[2] === 'stay') setInterval(() => {}, 100_000_000)\n")
  return { name: 'dist/flanneld.cjs on Node 24', agent: [node, BUNDLE], empty: [node, empty] }
}

/** The Node that is inside the executable. */
export function nodeInside(): string {
  const module = JSON.stringify(join(ROOT, 'packaging/executable/node-binary.mjs'))
  const script = `import { nodeBinary } from ${module}; console.log(nodeBinary())`
  const folder = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).trim()
  return join(folder, 'bin/node')
}
