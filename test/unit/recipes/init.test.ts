import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { complaintsAbout, hasSystemd } from './verify-units.ts'

const PACKAGING = join(import.meta.dirname, '../../../packaging')
const textOf = (name: string): string => readFileSync(join(PACKAGING, name), 'utf8')

/** Of Upstart's init(5): those that stand alone in a line, with what may follow. */
const STANZAS = [
  /^description ".*"$/,
  /^start on .+$/,
  /^stop on .+$/,
  /^respawn$/,
  /^respawn limit (unlimited|\d+ \d+)$/,
  /^normal exit( (\d+|[A-Z]+))+$/,
  /^kill timeout \d+$/,
  /^console (log|none|output|owner)$/,
]

/** Lines that are none of those, outside of scripts. */
const strangersIn = (job: string): readonly string[] =>
  job
    .replaceAll(/^(?:(?:pre|post)-(?:start|stop) )?script\n[^]*?^end script$/gm, '')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !STANZAS.some((stanza) => stanza.test(line)))

describe('units and jobs', () => {
  it.skipIf(!hasSystemd)('flanneld.service is one that systemd has nothing to say against', () => {
    const unit = textOf('systemd/flanneld.service')
    expect(complaintsAbout(new Map([['flanneld.service', unit]]))).toEqual([])
    const wrong = unit.replace('Restart=always', 'Restart=allways').replace('ProtectHome', 'ProtectHouse')
    expect(complaintsAbout(new Map([['flanneld.service', wrong]]))).toHaveLength(2)
  })

  it('the Upstart job has documented stanzas only', () => {
    expect(strangersIn(textOf('init/upstart/flanneld.conf'))).toEqual([])
    expect(strangersIn(textOf('init/upstart/docker.override'))).toEqual([])
    expect(strangersIn('respawn limit 5\nexpect spoon\n')).toEqual(['respawn limit 5', 'expect spoon'])
  })

  it('the SysV script says what insserv wants to know, and knows the actions of the LSB', () => {
    const script = textOf('init/sysv/flanneld')
    const [, header = ''] = /^### BEGIN INIT INFO\n([^]*?)^### END INIT INFO$/m.exec(script) ?? []
    const keys = Array.from(header.matchAll(/^# ([\w-]+):/gm), ([, key]) => key)
    expect(keys).toEqual(
      expect.arrayContaining(['Provides', 'Required-Start', 'Required-Stop', 'Default-Start', 'Default-Stop']),
    )
    for (const action of ['start', 'stop', 'restart', 'force-reload', 'status'])
      expect(script).toMatch(new RegExp(String.raw`^ {2}(?:[\w-]+ \| )*${action}(?: \| [\w-]+)*\)`, 'm'))
    expect(spawnSync('sh', ['-n', join(PACKAGING, 'init/sysv/flanneld')]).status).toBe(0)
  })
})
