import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { outputOf, type CommandLine } from '../lab/command.ts'

const ROOT = join(import.meta.dirname, '../..')
/** What the packages are made of, besides the commit's time. */
const INPUTS = ['dist/flanneld', 'packaging', 'docs', 'src/cli', 'README.md', 'CHANGELOG.md']
/** Of packages that were made before; nobody tests so long. */
const KEPT_MS = 3 * 3_600_000
const LONG = { timeoutMs: 400_000 }

function filesBelow(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path]
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).map((name) => join(path, name))
  return names.filter((name) => statSync(name).isFile()).sort()
}

function hashOfInputs(): string {
  const hash = createHash('sha256')
  for (const input of INPUTS)
    for (const file of filesBelow(join(ROOT, input))) hash.update(file).update('\0').update(readFileSync(file))
  return hash.digest('hex').slice(0, 16)
}

/** Does what follows, which fills the second folder, and makes that the first, unless it is there by now. */
const MAKE_ONCE = 'folder=$1 fresh=$2; shift 2; [ -e "$folder" ] || { "$@" && mv "$fresh" "$folder"; }'

/** @param parts of those that `--only` names */
function makingOf(folder: string, parts: string): CommandLine {
  const script = join(ROOT, 'packaging/package.mjs')
  const debs = process.env['FLANNEL_IMAGE_DEBS']
  return [process.execPath, script, '--only', parts, '--out', folder, ...(debs === undefined ? [] : ['--debs', debs])]
}

/** What `npm run package` makes of the built executable; made again when something that goes into it has changed. */
export class Packages {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  /** All that there are, made once for whoever asks: the first makes them, the others wait for it. */
  static async build(): Promise<Packages> {
    const place = join(ROOT, '.cache/packages')
    const debs = process.env['FLANNEL_IMAGE_DEBS']
    const parts = debs === undefined ? 'deb,tarball' : 'deb,tarball,image'
    const folder = join(place, `${hashOfInputs()}-${parts.replaceAll(',', '-')}`)
    if (existsSync(folder)) return new Packages(folder)
    mkdirSync(place, { recursive: true })
    for (const name of readdirSync(place))
      if (Date.now() - statSync(join(place, name)).mtimeMs > KEPT_MS) rmSync(join(place, name), { recursive: true })
    const fresh = mkdtempSync(join(place, 'new-'))
    const making = [folder, fresh, ...makingOf(fresh, parts)]
    await outputOf(['flock', join(place, 'lock'), 'sh', '-c', MAKE_ONCE, 'sh', ...making], LONG)
    rmSync(fresh, { recursive: true, force: true })
    return new Packages(folder)
  }

  /** Into a folder, whatever was made before. */
  static async buildAfresh(folder: string, parts: string): Promise<Packages> {
    await outputOf(makingOf(folder, parts), LONG)
    return new Packages(folder)
  }

  /** Path of the one that ends so. */
  file(ending: string): string {
    const name = readdirSync(this.folder).find((candidate) => candidate.endsWith(ending))
    if (name === undefined) throw new Error(`there is no …${ending} in ${this.folder}`)
    return join(this.folder, name)
  }

  /**
   * The .deb as another version, with a change made to its unpacked tree by a shell script there.
   * @returns its path, in a folder that whoever asks removes
   */
  async variant(folder: string, version: string, change = ''): Promise<string> {
    const tree = mkdtempSync(join(tmpdir(), 'deb-'))
    const path = join(folder, `flannel-agent_${version}.deb`)
    const script = `set -e
rm -r "$1"
dpkg-deb -R "$2" "$1"
cd "$1"
sed -i "s/^Version: .*/Version: $4/" DEBIAN/control
${change}
dpkg-deb -Zgzip -z1 --root-owner-group -b . "$3"`
    try {
      await outputOf(['sh', '-c', script, 'sh', tree, this.file('.deb'), path, version], LONG)
    } finally {
      rmSync(tree, { recursive: true, force: true })
    }
    return path
  }
}

/** Takes the place of a program with what ends where it is started, though it says its version and finds nothing wrong. */
export const crashing = (path: string): string => `cat > ${path} <<'END'
#!/bin/sh
for word; do case $word in --version) echo 'flanneld (flannel-agent) 0.1.0' && exit 0 ;; --check) exit 0 ;; esac; done
echo 'no such luck' >&2
exit 1
END`

/** Takes the place of a program with one that the loader refuses, in its words. */
export const foreign = (path: string): string => `cat > ${path} <<'END'
#!/bin/sh
echo "$0: /lib/libc.so.6: version 'GLIBC_2.99' not found (required by $0)" >&2
exit 1
END`
