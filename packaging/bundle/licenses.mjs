import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Folder of the package that a bundled file belongs to; undefined for our own. */
function packageOf(file) {
  const at = file.lastIndexOf('node_modules/')
  if (at < 0) return undefined
  const [first, second] = file.slice(at + 'node_modules/'.length).split('/')
  return join(file.slice(0, at), 'node_modules', first, first.startsWith('@') ? second : '')
}

function licenceText(directory) {
  const name = readdirSync(directory).find((entry) => /^(licen[cs]e|copying)(\.|$)/i.test(entry))
  return name === undefined ? undefined : readFileSync(join(directory, name), 'utf8').trim()
}

function author({ author: by }) {
  return typeof by === 'string' ? by : by?.name
}

function entry(root, directory) {
  const folder = join(root, directory)
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const { name, version, license } = manifest
  if (typeof license !== 'string') throw new Error(`${name} ${version} names no licence`)
  const text = licenceText(folder) ?? `Licence: ${license}. Copyright: ${author(manifest) ?? `the authors of ${name}`}.`
  return { title: `${name} ${version} (${license})`, text }
}

const RULE = '='.repeat(80)

/** One licence under its title. */
export const licenceSection = (title, text) => `${RULE}\n${title}\n${RULE}\n\n${text}\n`

/** Licences of every package of which something got into the bundle, out of esbuild's metafile. */
export function thirdPartyLicences(root, metafile) {
  const bundled = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])),
  )
  const directories = [...new Set(bundled.map(packageOf))].filter(
    (directory) => directory !== undefined && existsSync(join(root, directory, 'package.json')),
  )
  const entries = directories.map((directory) => entry(root, directory))
  return entries
    .sort((a, b) => (a.title < b.title ? -1 : 1))
    .map(({ title, text }) => licenceSection(title, text))
    .join('\n')
}
