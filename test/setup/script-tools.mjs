import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { CACHE, say, SetupError } from './shell.mjs'
import { onPath, unpackInCheckout } from './tools.mjs'

/** What judges shell scripts and the Vagrantfile, by the package that brings it. */
const PACKAGES = { shellcheck: ['shellcheck'], vagrant: ['vagrant', 'ruby'] }

/** Never installed: Vagrant brings fifty packages of Ruby's, which start nothing, but which nobody wants on this machine. */
const NAME = 'script-tools'
const UNPACKED = join(CACHE, NAME)
const COMMANDS = join(UNPACKED, 'commands')

/** The folders below a root that a pattern names; a `*` in it stands for one name. */
const foldersIn = (root, patterns) => patterns.flatMap((pattern) => expand(root, pattern.split('/')))

function expand(folder, [first, ...rest]) {
  if (!existsSync(folder)) return []
  if (first === undefined) return [folder]
  if (first !== '*') return expand(join(folder, first), rest)
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => expand(join(folder, name), rest))
}

const LIBRARIES = ['usr/lib/ruby/vendor_ruby', 'usr/lib/ruby/*', 'usr/lib/*/ruby/*', 'usr/lib/*/ruby/vendor_ruby/*']
const GEMS = [
  ...['usr/share/rubygems-integration/*', 'usr/lib/ruby/gems/*', 'usr/lib/*/rubygems-integration/*'],
  ...['var/lib/gems/*', 'usr/share/rubygems-integration'],
]

/** Ruby as if these packages were installed beside the machine's own. */
const rubyEnvironment = () => ({
  LD_LIBRARY_PATH: foldersIn(UNPACKED, ['usr/lib/*']).filter((folder) => folder.endsWith('-linux-gnu')),
  RUBYLIB: foldersIn(UNPACKED, LIBRARIES),
  GEM_PATH: ['/', UNPACKED].flatMap((root) => foldersIn(root, GEMS)),
})

/** A command of this name in the environment that it needs. */
function writeCommand(name, line) {
  const settings = Object.entries(rubyEnvironment()).map(([key, folders]) => `export ${key}='${folders.join(':')}'`)
  const path = join(COMMANDS, name)
  writeFileSync(path, ['#!/bin/sh', ...settings, `exec ${line} "$@"`, ''].join('\n'))
  chmodSync(path, 0o755)
}

function writeCommands() {
  const unpacked = (name) => join(UNPACKED, 'usr/bin', name)
  const ruby = existsSync(unpacked('ruby')) ? `'${unpacked('ruby')}'` : 'ruby'
  mkdirSync(COMMANDS, { recursive: true })
  if (existsSync(unpacked('ruby'))) writeCommand('ruby', ruby)
  if (existsSync(unpacked('vagrant'))) writeCommand('vagrant', `${ruby} '${unpacked('vagrant')}'`)
  if (existsSync(unpacked('shellcheck'))) writeCommand('shellcheck', `'${unpacked('shellcheck')}'`)
}

const missing = () => Object.keys(PACKAGES).filter((name) => !PACKAGES[name].every(onPath))

function fetchMissing() {
  const names = missing()
  if (names.length === 0) return
  if (!onPath('apt-get')) throw new SetupError(`there is no apt-get to fetch ${names.join(' ')} with`)
  say(`Fetching what checks scripts and the Vagrantfile: ${names.join(' ')} …`)
  unpackInCheckout(names, NAME)
  writeCommands()
  if (missing().length > 0) throw new SetupError(`could not fetch ${missing().join(' ')}`)
}

/** Finds or fetches what checks shell scripts and the Vagrantfile. Where that cannot be had the tests are skipped, and it is said why. */
export function ensureScriptTools() {
  process.env.PATH = [process.env.PATH, COMMANDS].join(delimiter)
  try {
    fetchMissing()
  } catch (failure) {
    if (!(failure instanceof SetupError)) throw failure
    say(`Shell scripts and the Vagrantfile are not checked: ${failure.message}`)
    process.env.FLANNEL_NO_SCRIPT_TOOLS = failure.message
  }
}
