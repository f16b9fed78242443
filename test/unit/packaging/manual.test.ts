import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { bashCompletion } from '../../../src/completion/bash.ts'
import { manualPage } from '../../../packaging/manual/man.ts'
import { defaultSettings, settingNames } from '../../../packaging/manual/settings.ts'
import { fishCompletion } from '../../../src/completion/fish.ts'
import { zshCompletion } from '../../../src/completion/zsh.ts'
import { SUBCOMMANDS } from '../../../src/cli/commands.ts'
import { readCommandLine } from '../../../src/cli/flanneld.ts'
import { environmentName, FLAGS } from '../../../src/cli/flags.ts'

const FLAG_NAMES = Object.values(FLAGS).map(({ name }) => name)
const COMMAND_NAMES = SUBCOMMANDS.map(({ name }) => name)

/** What a reader sees of roff: no escapes. */
const plain = (roff: string): string => roff.replaceAll(String.raw`\-`, '-').replace(/\\f[BIR]/g, '')

describe('the manual page', () => {
  const page = manualPage({ version: '1.2.3', epoch: 1_700_000_000 })

  it('has every flag with its variable', () => {
    for (const name of FLAG_NAMES) expect(plain(page)).toMatch(new RegExp(`^--${name}( .*)?$`, 'm'))
    for (const name of FLAG_NAMES) expect(plain(page)).toContain(`Variable: ${environmentName(name)}.`)
  })

  it('has every command, with the names of links that stand for it', () => {
    for (const { name, links } of SUBCOMMANDS) {
      expect(plain(page)).toContain(`.SS ${name}\n`)
      for (const link of links) expect(plain(page)).toContain(link)
    }
  })

  it('says what version it is for, and when that was made', () => {
    expect(page).toMatch(/^\.TH FLANNELD 8 "2023-11-14" "flannel-agent 1\.2\.3"/)
  })

  it('lets nothing of the texts pass for a request', () => {
    const requests = Array.from(page.matchAll(/^[.']\s*(\S+)/gm), ([, request]) => request)
    expect(new Set(requests)).toEqual(new Set(['TH', 'SH', 'SS', 'TP', 'B', 'RI', 'BR', 'I', 'PP', 'br', 'nf', 'fi']))
  })
})

describe('/etc/default/flanneld', () => {
  const lines = defaultSettings().split('\n')
  const settings = lines.filter((line) => /^#[A-Z0-9_]+=/.test(line)).map((line) => line.slice(1))

  it('sets nothing', () => {
    expect(lines.filter((line) => line !== '' && !line.startsWith('#'))).toEqual([])
  })

  it('has every variable that means something', () => {
    const printing = ['version', 'help', 'check', 'licenses']
    const expected = FLAG_NAMES.filter((name) => !printing.includes(name)).map(environmentName)
    const found = settings.map((line) => line.replace(/=.*/, ''))
    expect(new Set(found)).toEqual(new Set(['FLANNELD_OPTS', ...expected]))
  })

  it('is right as it stands when a line loses its #', () => {
    for (const line of settings) {
      const [name, value] = [line.replace(/=.*/, ''), line.replace(/^[^=]*=/, '')]
      // A name goes with a password, a certificate with a key.
      const user = { FLANNELD_ETCD_USERNAME: value, FLANNELD_ETCD_PASSWORD: value }
      const together = { ...user, FLANNELD_ETCD_CERTFILE: '', FLANNELD_ETCD_KEYFILE: '' }
      expect(() => readCommandLine([], { ...together, [name]: value })).not.toThrow()
    }
  })

  it('names what may stand there for those who check it', () => {
    expect(settingNames()).toEqual(
      expect.arrayContaining(['FLANNELD_OPTS', 'FLANNEL_OPTIONS', ...FLAG_NAMES.map(environmentName)]),
    )
  })
})

/** What a real bash offers for a line, with the cursor at its end. */
function offered(...words: readonly string[]): readonly string[] {
  const script = `${bashCompletion()}
compopt() { :; }
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_flanneld
printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr, status } = spawnSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  return stdout.split('\n').filter((line) => line !== '')
}

describe('completion in bash', () => {
  it('is for the program flanneld', () => {
    const { stdout } = spawnSync('bash', ['-c', `${bashCompletion()}complete -p flanneld`], { encoding: 'utf8' })
    expect(stdout).toBe('complete -F _flanneld flanneld\n')
  })

  it('offers the flags that begin so', () => {
    expect(offered('flanneld', '--et')).toEqual(
      FLAG_NAMES.filter((name) => name.startsWith('et')).map((it) => `--${it}`),
    )
    expect(offered('flanneld', '-v=1', '--')).toEqual(FLAG_NAMES.map((name) => `--${name}`))
  })

  it('offers commands first, and their own flags behind them', () => {
    expect(offered('flanneld', '')).toEqual(expect.arrayContaining(COMMAND_NAMES))
    expect(offered('flanneld', 'cleanup', '--dry')).toEqual(['--dry-run'])
    expect(offered('flanneld', 'cleanup', '--ip-masq')).toEqual([])
    expect(offered('flanneld', 'docker-opts', '-')).toEqual(
      expect.arrayContaining(['-f', '-d', '-i', '-c', '-k', '-m', '-6']),
    )
  })

  it('offers interfaces and files where they are the value, in both ways of writing it', () => {
    expect(offered('flanneld', '--iface', 'l')).toContain('lo')
    expect(offered('flanneld', '--iface', '=', 'l')).toContain('lo')
    expect(offered('flanneld', '--subnet-file', '=', '/etc/pass')).toContain('/etc/passwd')
    expect(offered('flanneld', '--etcd-prefix', '')).toEqual([])
  })
})

describe('completion in zsh', () => {
  it('has every flag and command', () => {
    for (const name of FLAG_NAMES) expect(zshCompletion()).toMatch(new RegExp(`'\\*?--${name}=?\\[`))
    for (const name of COMMAND_NAMES) expect(zshCompletion()).toContain(`    '${name}:`)
  })

  it('ends every quotation that it begins', () => {
    const { status, stderr } = spawnSync('bash', ['-n'], { encoding: 'utf8', input: zshCompletion() })
    expect([status, stderr]).toEqual([0, ''])
  })
})

describe('completion in fish', () => {
  it('has every flag and command', () => {
    for (const name of FLAG_NAMES) expect(fishCompletion()).toMatch(new RegExp(`-l ${name}( |$)`, 'm'))
    for (const name of COMMAND_NAMES) expect(fishCompletion()).toContain(` -f -a ${name} -d '`)
  })

  it('has one command in each line, and ends every quotation that it begins', () => {
    const lines = fishCompletion().split('\n').slice(1, -1)
    expect(lines.filter((line) => !/^complete -c flanneld( ('([^'\\]|\\.)*'|[\w./-]+))*$/.test(line))).toEqual([])
  })
})
