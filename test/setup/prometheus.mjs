import { readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { CACHE, cacheFolder, say, setupStep, SetupError } from './shell.mjs'
import { fetchPackageLists, onPath } from './tools.mjs'

const COMMANDS = ['promtool', 'prometheus']
const NAME = 'prometheus'
const FOLDER = join(CACHE, NAME, 'usr/bin')

/** Unpacked without what it depends on, which is for its web pages, and never installed: Debian's package starts a daemon. */
function fetchMissing() {
  if (COMMANDS.every(onPath)) return
  if (!onPath('apt-get')) throw new SetupError('there is no apt-get to fetch it with')
  say('Fetching Prometheus …')
  const archives = cacheFolder(join('apt', `archives-${NAME}`))
  setupStep('apt-get', [...fetchPackageLists(), 'download', NAME], { cwd: archives })
  for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb')))
    setupStep('dpkg', ['-x', join(archives, file), cacheFolder(NAME)])
  if (!COMMANDS.every(onPath)) throw new SetupError(`its package brings no ${COMMANDS.join(' and ')}`)
}

/** Finds or fetches Prometheus and promtool. Where that cannot be had the tests of metrics with it are skipped, and it is said why. */
export function ensurePrometheus() {
  process.env.PATH = [process.env.PATH, FOLDER].join(delimiter)
  try {
    fetchMissing()
  } catch (failure) {
    if (!(failure instanceof SetupError)) throw failure
    say(`Metrics are not judged by Prometheus: ${failure.message}`)
    process.env.FLANNEL_NO_PROMETHEUS = failure.message
  }
}
