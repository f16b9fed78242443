import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DOCKER_OPTS_HELP } from '../../src/docker/docker-opts.ts'

const ROOT = join(import.meta.dirname, '../..')
const UNITS = join(ROOT, 'packaging/systemd')
const guide = readFileSync(join(ROOT, 'docs/docker.md'), 'utf8')

const service = (command: string): string => `[Service]\nExecStart=${command}\n`

/** What systemd finds wrong with Docker's unit when our files lie beside it. */
function complaints(extra = ''): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'units-'))
  try {
    cpSync(UNITS, folder, { recursive: true })
    writeFileSync(join(folder, 'docker.service'), service('/bin/true $DOCKER_OPTS'))
    writeFileSync(join(folder, 'flanneld.service'), service('/bin/true'))
    writeFileSync(join(folder, 'docker.service.d/later.conf'), extra)
    const units = ['docker.service', 'flannel-docker-opts.service'].map((name) => join(folder, name))
    // It exits with 0 whatever it finds. The programs need not be installed here.
    const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], { encoding: 'utf8' })
    return stderr
      .split('\n')
      .filter((line) => line.includes(folder) || /^(docker|flannel)/.test(line))
      .filter((line) => !line.includes('is not executable'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0

describe('the guide for Docker', () => {
  it.each(['flannel-docker-opts.service', 'docker.service.d/flannel.conf'])('shows %s as it is', (name) => {
    expect(guide).toContain(`\`\`\`ini\n${readFileSync(join(UNITS, name), 'utf8')}\`\`\`\n`)
  })

  it('explains every option of the command', () => {
    const options = Array.from(DOCKER_OPTS_HELP.matchAll(/^ {2}(-\w(?: [A-Z]+)?)/gm), ([, option]) => option)
    expect(options).toHaveLength(7)
    for (const option of options) expect(guide).toContain(`| \`${option ?? ''}\` |`)
  })

  it.skipIf(!hasSystemd)('shows units that systemd has nothing to say against', () => {
    const [, ownPackages = ''] = /```ini\n(ExecStart=\n[^`]*)```/.exec(guide) ?? []
    expect(ownPackages).toContain('$DOCKER_OPTS')
    expect(complaints()).toEqual([])
    expect(complaints(`[Service]\n${ownPackages}`)).toEqual([])
    expect(complaints('[Service]\nExecStrat=/bin/true\n')).toEqual([expect.stringContaining('ExecStrat')])
  })
})
