import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const TOP = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md']
const PAGES = [...TOP, ...filesBelow('docs'), ...filesBelow('packaging'), ...filesBelow('vagrant')]

/** Paths of the repository that are written out in the text: not those with a place for a name in them. */
const PATH = /`((?:src|test|docs|packaging|vagrant)\/[\w./-]*\w)`/g
const LINK = /\]\(([^)\s]+)\)/g

function filesBelow(folder: string): readonly string[] {
  if (!existsSync(join(ROOT, folder))) return []
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith('.md')).map((name) => join(folder, name))
}

const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8')

/** Code may hold brackets and hashes that are neither links nor headings. */
const withoutBlocks = (text: string): string => text.replaceAll(/^```[^]*?^```/gm, '')

/** As GitHub makes them of headings: small letters, no punctuation, `-` for a space. */
const anchorsOf = (page: string): ReadonlySet<string> =>
  new Set(
    Array.from(withoutBlocks(read(page)).matchAll(/^#+ (.+)$/gm), ([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  )

function problemOf(page: string, target: string): string | undefined {
  if (/^https?:/.test(target)) return undefined
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? page : normalize(join(dirname(page), path))
  if (!existsSync(join(ROOT, file))) return `${target}: there is no ${file}`
  if (anchor !== undefined && !anchorsOf(file).has(anchor)) return `${target}: no such heading in ${file}`
  return undefined
}

describe('the documents', () => {
  it.each(PAGES)('%s links to pages and headings that there are', (page) => {
    const targets = Array.from(withoutBlocks(read(page)).matchAll(LINK), ([, target = '']) => target)
    expect(targets.flatMap((target) => problemOf(page, target) ?? [])).toEqual([])
  })

  it.each(PAGES)('%s names files of the repository that there are', (page) => {
    const paths = Array.from(read(page).matchAll(PATH), ([, path = '']) => path)
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  })

  it('are all reached from the first', () => {
    const reached = new Set<string>(['README.md'])
    for (const page of reached)
      for (const [, target = ''] of read(page).matchAll(LINK)) {
        const file = normalize(join(dirname(page), target.split('#')[0] ?? ''))
        if (file.endsWith('.md') && existsSync(join(ROOT, file))) reached.add(file)
      }
    const isOnItsOwn = (page: string): boolean => /^docs\/decisions\//.test(page) // the folder is linked
    expect(PAGES.filter((page) => !reached.has(page) && !isOnItsOwn(page))).toEqual([])
  })
})
