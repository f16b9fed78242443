import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './product.mjs'

/** Recipes for other inits, network managers and operating systems, and for monitoring: examples for whoever needs one. */
const RECIPES = ['network', 'init', 'coreos', 'systemd/docker.service.d', 'prometheus', 'grafana']

/** All files below a folder of the repository, by their path in it. */
export function filesBelow(folder) {
  const at = join(ROOT, folder)
  if (!existsSync(at)) return []
  const entries = readdirSync(at, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .map((path) => ({ path: path.slice(at.length + 1), content: readFileSync(path) }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** Documentation as packages ship it, below one folder: guides, decisions, and recipes as examples. */
export function documentation() {
  const guides = filesBelow('docs').map(({ path, content }) => ({ path: `docs/${path}`, content }))
  const recipes = RECIPES.flatMap((folder) =>
    filesBelow(join('packaging', folder)).map(({ path, content }) => ({
      path: join('examples', folder.replace('systemd/', ''), path),
      content,
    })),
  )
  const readme = { path: 'README.md', content: readFileSync(join(ROOT, 'README.md')) }
  return [readme, ...guides, ...recipes].map((file) => ({ ...file, mode: 0o644 }))
}

export const licence = () => readFileSync(join(ROOT, 'LICENSE'), 'utf8')
export const changelog = () => readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8')
export const thirdPartyLicences = () => readFileSync(join(ROOT, 'dist/THIRD-PARTY-LICENSES.txt'), 'utf8')
