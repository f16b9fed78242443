import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

export const ROOT = join(import.meta.dirname, '../../..')

/** What is fetched or made. */
const NOT_OURS = new Set(['.cache', '.git', '.vagrant', 'dist', 'node_modules', 'build'])

/** A file in the language of a shell. */
export interface ShellFile {
  /** From the checkout on. */
  readonly path: string
  /** As the shell gets it: what `# include NAME` stands for is put in, `@NAME@` is some number. */
  readonly text: string
  /** Whether it is a program; else others read it in. */
  readonly isProgram: boolean
  /** Paths of what it reads in. */
  readonly sources: readonly string[]
}

async function pathsBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(join(ROOT, folder), { withFileTypes: true })
  const nested = entries.map(async (entry): Promise<readonly string[]> => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (NOT_OURS.has(entry.name)) return []
    return entry.isDirectory() ? pathsBelow(path) : entry.isFile() ? [path] : []
  })
  return (await Promise.all(nested)).flat()
}

const INCLUDE = /^# include (\S+)$/gm
const SOURCE = /^# shellcheck source=(\S+)$/gm
const PROGRAM = /^#!.*\b(?:ba|da)?sh\b/
const included = (name: string): string => `packaging/shell/${name}`

/** All of the checkout. */
export async function shellFiles(): Promise<readonly ShellFile[]> {
  const paths = await pathsBelow('')
  const texts = new Map(
    await Promise.all(paths.map(async (path) => [path, await readFile(join(ROOT, path), 'utf8')] as const)),
  )
  const assemble = (text: string): string =>
    text
      .replace(INCLUDE, (_, name: string) => texts.get(included(name)) ?? `missing ${name}`)
      .replace(/@[A-Z][A-Z_]*@/g, '1')
  return [...texts]
    .filter(([path, text]) => PROGRAM.test(text) || basename(path).endsWith('.sh'))
    .map(([path, text]) => ({
      ...{ path, text: assemble(text), isProgram: PROGRAM.test(text) },
      sources: [
        ...Array.from(text.matchAll(INCLUDE), ([, name = '']) => included(name)),
        ...Array.from(text.matchAll(SOURCE), ([, name = '']) => name),
      ],
    }))
}
