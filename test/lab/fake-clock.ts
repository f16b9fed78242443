import { readdirSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import type { CommandLine } from './command.ts'
import type { Place } from './namespace.ts'

/** Read by the library at every look at the clock; every host has its own. */
const CLOCK_FILE = '/run/tmp/clock'
const LIBRARY = 'faketime/libfaketime.so.1'

/** libfaketime stands beside its command: `usr/bin/faketime` and `usr/lib/<architecture>/faketime/libfaketime.so.1`. */
function libraryPath(): string {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const libraries = join(dirname(folder), 'lib')
    for (const name of ['.', ...namesIn(libraries)])
      if (namesIn(join(libraries, name, dirname(LIBRARY))).includes('libfaketime.so.1'))
        return join(libraries, name, LIBRARY)
  }
  throw new Error('libfaketime is not installed')
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** The command in a world whose date {@link setClock} moves; the monotonic clock goes on as it is, as the kernel's does. */
export const underFakeClock = (command: CommandLine): CommandLine => [
  'env',
  `LD_PRELOAD=${libraryPath()}`,
  `FAKETIME_TIMESTAMP_FILE=${CLOCK_FILE}`,
  'FAKETIME_NO_CACHE=1',
  'DONT_FAKE_MONOTONIC=1',
  'FAKETIME_DONT_FAKE_MONOTONIC=1',
  ...command,
]

/** @param offset from the true time, as faketime(1) reads it: `+0`, `+1d`, `-1d` */
export async function setClock(place: Place, offset: string): Promise<void> {
  // renamed into place: the library must never read half a file
  await place.exec('sh', ['-ec', `echo '${offset}' > ${CLOCK_FILE}.new; mv ${CLOCK_FILE}.new ${CLOCK_FILE}`])
}
