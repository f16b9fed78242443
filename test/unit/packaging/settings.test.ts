import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { settingNames } from '../../../packaging/manual/settings.ts'

const SHELL = join(import.meta.dirname, '../../../packaging/shell')
const read = (name: string): string => readFileSync(join(SHELL, name), 'utf8')
const settings = read('settings.sh').replace('@SETTING_NAMES@', settingNames().join(' '))

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'settings-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

/** Runs shell code of ours behind the functions, with `text` as the settings. */
function run(text: string, code: string): string {
  const file = join(folder, 'flanneld')
  writeFileSync(file, text)
  const script = `set -eu\n${settings}\n${read('cleanup.sh')}\nSETTINGS_FILES=${file}\n${code}`
  const { status, stdout, stderr } = spawnSync('sh', ['-c', script, 'sh', file], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  return stdout.replaceAll(`${file}:`, '')
}

const problems = (text: string): string => run(text, 'setting_problems "$1"')

describe('problems of a file of settings', () => {
  it.each([
    ['FLANNELD_IFACE eth1\n', '1: expected NAME=value, found "FLANNELD_IFACE eth1": systemd ignores this line\n'],
    [
      '\n# none\nexport FLANNELD_IFACE=eth1\n',
      '3: expected NAME=value, found "export FLANNELD_IFACE": systemd ignores this line\n',
    ],
    ['--iface=eth1', '1: expected NAME=value, found "--iface": systemd ignores this line\n'],
    ['FLANNEL_IFACE=eth1\n', '1: FLANNEL_IFACE is read by nobody; expected FLANNELD_IFACE?\n'],
    ['FLANNELD_IFCAE=eth1\n', '1: FLANNELD_IFCAE is read by nobody; the names stand in flanneld(8)\n'],
    ['FLANELD_OPTS=-v=1\n', '1: FLANELD_OPTS is read by nobody; the names stand in flanneld(8)\n'],
  ])('of %j', (text, expected) => {
    expect(problems(text)).toBe(expected)
  })

  it.each([
    '',
    '# a comment\n; another\n\n',
    'FLANNELD_OPTS="--iface=eth1 -v=1"\n  FLANNELD_IP_MASQ = true\nGODEBUG=x\nFLANNELD_KUBE_SUBNET_MGR=false',
    'FLANNEL_OPTIONS="-v=1"\nFLANNEL_ETCD_ENDPOINTS=http://a:1\nFLANNEL_ETCD_PREFIX=/x\n',
    'FLANNELD_OPTS="--iface=eth1 \\\n  --ip-masq"\nFLANNELD_V=1\n',
  ])('are none of %j', (text) => {
    expect(problems(text)).toBe('')
  })

  it('are told without the value: it may be a password', () => {
    expect(problems('FLANNELD ETCD_PASSWORD=secret\nFLANNELD_ETCD_PASWORD=secret\n')).not.toContain('secret')
  })
})

describe('settings as the agent gets them', () => {
  const print = (text: string, name: string): string => run(text, `with_settings sh -c 'printf %s "$${name}"'`)

  it.each([
    ['FLANNELD_IFACE=eth1\n', 'eth1'],
    ['  FLANNELD_IFACE =  eth1  \n', 'eth1'],
    ['FLANNELD_IFACE="eth1 "\n', 'eth1 '],
    ["FLANNELD_IFACE='eth1'\n", 'eth1'],
    ['#FLANNELD_IFACE=eth0\nFLANNELD_IFACE=eth1', 'eth1'],
    ['FLANNELD_IFACE=eth0\nFLANNELD_IFACE=eth1\n', 'eth1'],
    ['FLANNELD_IFACE=$(id)`id`$HOME\n', '$(id)`id`$HOME'],
  ])('%j', (text, value) => {
    expect(print(text, 'FLANNELD_IFACE')).toBe(value)
  })

  it('count as there when one of ours has a value', () => {
    const code = 'if is_configured; then echo yes; else echo no; fi'
    expect(run('#FLANNELD_IFACE=eth1\nFLANNELD_OPTS=\n', code)).toBe('no\n')
    for (const text of ['FLANNELD_OPTS=-v=1\n', 'FLANNEL_ETCD_ENDPOINTS=http://a:1\n'])
      expect(run(text, code)).toBe('yes\n')
  })
})

describe('how a purge calls the agent', () => {
  const LOCAL = '--etcd-endpoints=http://127.0.0.1:2379'
  it.each([
    ['FLANNELD_ETCD_ENDPOINTS=http://a:1\n', 'cleanup --release --etcd-endpoints= --etcd-prefix= (http://a:1)'],
    [
      'FLANNEL_ETCD_ENDPOINTS=http://a:1\nFLANNEL_ETCD_PREFIX=/x\n',
      'cleanup --release --etcd-endpoints=http://a:1 --etcd-prefix=/x ()',
    ],
    [
      'FLANNELD_OPTS="--etcd-endpoints=http://a:1 -v=1"\n',
      'cleanup --release --etcd-endpoints= --etcd-prefix= --etcd-endpoints=http://a:1 ()',
    ],
    ['FLANNELD_IFACE=eth1\n', `cleanup --release --etcd-endpoints= --etcd-prefix= ${LOCAL} ()`],
    ['', 'cleanup ()'],
  ])('with %j', (text, call) => {
    const program = join(folder, 'program')
    writeFileSync(program, '#!/bin/sh\necho "$* ($FLANNELD_ETCD_ENDPOINTS)"\n', { mode: 0o755 })
    expect(run(text, `with_settings clean_up ${program}`)).toBe(`${call}\n`)
  })
})

describe('what a purge takes of the flags', () => {
  it.each([
    ['-v=1 --etcd-endpoints=http://a:1 --iface=eth1', '--etcd-endpoints=http://a:1\n'],
    ['--etcd-endpoints http://a:1 -iface eth1 -subnet-file /x', '--etcd-endpoints=http://a:1\n-subnet-file=/x\n'],
    ['--node-id=n -ip-masq', '--node-id=n\n'],
    ['', ''],
  ])('of %j', (flags, kept) => {
    expect(run('', `set -f; lease_arguments ${flags}`)).toBe(kept)
  })
})
