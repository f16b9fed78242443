import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { requirementsOf } from './elf.mjs'
import { generateTexts } from './generated.mjs'

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..')
export const NAME = 'flannel-agent'
export const SUMMARY = 'overlay network for containers, a drop-in for flanneld'
/** Who answers for the packages; there is no mailing address. */
export const MAINTAINER = 'The flannel-agent maintainers <maintainers@flannel-agent.invalid>'

/**
 * Everything that the packages have in common: the executable and what it asks for, names, the time that all files carry (seconds
 * since 1970), and the texts made of the table of flags.
 * @throws {Error} where there is no executable, or it does not run
 */
export async function describeProduct({ executable, revision, isStandIn }) {
  if (!existsSync(executable)) throw new Error(`${executable}: expected the executable, found nothing: npm run build`)
  const { version, license } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const program = readFileSync(executable)
  const elf = requirementsOf(program, executable)
  const inside = { node: nodeIn(program), ...(isStandIn || isForeign(elf) ? {} : readInside(executable, version)) }
  const epoch = sourceEpoch()
  return {
    ...{ name: NAME, version, revision, license, epoch, elf, inside, program },
    date: new Date(epoch * 1000).toISOString().replace(/\.\d+Z$/, 'Z'),
    arch: elf.machine.debian,
    texts: await generateTexts({ version, epoch }),
  }
}

/** Commit's time; without git (a source archive) the time of package.json. */
function sourceEpoch() {
  const given = process.env['SOURCE_DATE_EPOCH'] ?? ''
  if (/^\d+$/.test(given)) return Number(given)
  const { status, stdout } = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: ROOT, encoding: 'utf8' })
  if (status === 0 && /^\d+$/.test(stdout.trim())) return Number(stdout.trim())
  return Math.floor(statSync(join(ROOT, 'package.json')).mtimeMs / 1000)
}

/** Version of the Node.js in an executable: it knows where its own sources are. */
function nodeIn(program) {
  const place = 'nodejs.org/download/release/v'
  const at = program.indexOf(place)
  return at < 0
    ? undefined
    : /^\d+\.\d+\.\d+/.exec(program.toString('latin1', at + place.length, at + place.length + 16))?.[0]
}

/** Whether it is for another machine than this one, and cannot be asked. */
const isForeign = ({ machine }) => machine.node !== process.arch

/** What the executable says itself. */
function readInside(executable, version) {
  const { status, stdout, stderr, error } = spawnSync(executable, ['--version'], { encoding: 'utf8' })
  if (status !== 0 || !stdout.includes(version))
    throw new Error(`${executable} --version: expected ${version}, found ${error?.message ?? `${stdout}${stderr}`}`)
  const [, commit] = /\bcommit[ :]+([0-9a-f]{7,40})/i.exec(stdout) ?? []
  return { commit }
}
