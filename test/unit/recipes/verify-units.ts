import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0

/**
 * What systemd has against these units. It exits with 0 whatever it finds.
 * @param files texts by name: `flanneld.service`, `flanneld.service.d/10-opt-bin.conf`
 */
export function complaintsAbout(files: ReadonlyMap<string, string>): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'units-'))
  try {
    for (const [name, text] of files) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
    const units = [...files.keys()].filter((name) => name.endsWith('.service')).map((name) => join(folder, name))
    const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], { encoding: 'utf8' })
    return stderr
      .split('\n')
      .filter((line) => line.includes(folder) || /^(docker|flannel)/.test(line))
      .filter((line) => !line.includes('is not executable')) // the programs need not be installed here
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
