import { spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What a copy shares with the checkout: large, and the same whatever is mutated. */
const SHARED = ['node_modules', '.cache']
/** What a copy does without, or has made by itself. */
const LEFT_OUT = [...SHARED, '.git', '.vagrant', 'dist']

/** Waits for the end of this process, however it ends, and then for those that end with it. */
const WHEN_ALONE = 'cat > /dev/null; sleep 1; rm -rf "$1"'

/** Has a folder removed when this process is no more. */
function removeAfterwards(folder: string): void {
  const child = spawn('sh', ['-c', WHEN_ALONE, 'sh', folder], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  child.unref()
  if (child.stdin instanceof Socket) child.stdin.unref()
}

/** A copy of the checkout in a temporary folder, in which files of `src/` are changed: tests, programs and the bundle see the change alike. */
export class Tree {
  /** Holds the copy, and all that belongs to it. */
  readonly folder: string
  readonly root: string
  /** Where instrumented code writes what it reached. */
  readonly reachFile: string
  /** Where tests put their temporary files. */
  readonly temporary: string

  private constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'mutate-'))
    this.root = join(this.folder, 'tree')
    this.reachFile = join(this.folder, 'reached')
    this.temporary = join(this.folder, 'tmp')
    mkdirSync(this.temporary)
  }

  static copyOf(checkout: string): Tree {
    const tree = new Tree()
    removeAfterwards(tree.folder)
    mkdirSync(join(tree.root, 'dist'), { recursive: true })
    for (const name of readdirSync(checkout))
      if (!LEFT_OUT.includes(name)) cpSync(join(checkout, name), join(tree.root, name), { recursive: true })
    for (const name of SHARED) symlinkSync(join(checkout, name), join(tree.root, name))
    for (const name of readdirSync(join(checkout, 'dist')))
      symlinkSync(join(checkout, 'dist', name), join(tree.root, 'dist', name))
    return tree
  }

  path(file: string): string {
    return join(this.root, file)
  }

  write(file: string, text: string): void {
    writeFileSync(this.path(file), text)
  }

  /** Makes the bundle of the sources as they are now. @returns whether it could be made */
  bundle(): boolean {
    const { status } = spawnSync(process.execPath, ['packaging/build.mjs', '--bundle'], {
      cwd: this.root,
      stdio: 'ignore',
    })
    return status === 0
  }

  /** The lines written since the last time. */
  takeReached(): readonly string[] {
    try {
      return readFileSync(this.reachFile, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    } catch {
      return []
    } finally {
      rmSync(this.reachFile, { force: true })
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
