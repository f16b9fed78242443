import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const PROGRAM = join(import.meta.dirname, '../../../dist/flanneld.cjs')

/** What a process says that is started with these arguments. */
function run(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): ReturnType<typeof spawnSync> {
  const env = { PATH: process.env['PATH'], ...environment }
  return spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8', timeout: 20_000, env, input: '' })
}

describe('bad usage of any command', () => {
  it.each([
    ['flanneld', ['--bogus']],
    ['flanneld', ['bogus']],
    ['flanneld', ['-iface']],
    ['flanneld cleanup', ['cleanup', '--bogus']],
    ['flanneld cleanup', ['cleanup', '--subnet-file']],
    ['flanneld cleanup', ['cleanup', 'bogus']],
    ['flanneld docker-opts', ['docker-opts', '-x']],
    ['flanneld docker-opts', ['docker-opts', '-f']],
    ['flanneld docker-opts', ['docker-opts', 'bogus']],
    ['flanneld cni', ['cni', '--bogus']],
    ['flanneld cni', ['cni', 'ADD']],
    ['flanneld release', ['release', 'junk']],
    ['flanneld release', ['release', '10.1.0.300/24']],
  ])('of %s, as %j: exit code 2 and one line that names what, what was expected and what was found', (who, args) => {
    const { status, stdout, stderr } = run(args)
    expect(stderr).toMatch(new RegExp(`^${who}: [^ ]+: expected .+, found (nothing|"[^"]*")\n$`))
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  })

  it.each([
    ['config: set', ['config', 'set', '-']],
    ['doctor: --fix', ['doctor', '--fix']],
  ])('is to ask a person where there is none, before anything else is done: %s', (what, args) => {
    expect(run(args)).toMatchObject({
      ...{ status: 2, stdout: '' },
      stderr: `flanneld ${what}: expected --yes with it, where nobody is there to be asked, found nothing\n`,
    })
  })

  it('is none for who asks', () => {
    for (const args of [['help'], ['help', 'cleanup'], ['help', 'docker-opts'], ['help', 'cni'], ['cni', '-h']])
      expect(run(args)).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/^Usage: /) as unknown })
    expect(run(['version']).stdout).toBe(run(['--version']).stdout)
  })
})

describe('an etcd that does not answer', () => {
  it.each([
    ['the flags and variables of this command', ['--etcd-endpoints=http://127.0.0.1:1']],
    ['the default, since ', []],
  ])('is said in a line of its own to come from %s', (origin, flags) => {
    const { status, stderr } = run(['leases', ...flags])
    const lines = String(stderr).trimEnd().split('\n')
    expect(status).toBe(1)
    expect(lines).toHaveLength(2)
    expect(lines[1]).toMatch(/^flanneld leases: etcd http:\/\/127\.0\.0\.1:[^(]* is taken from: /)
    expect(lines[1]).toContain(origin)
  })
})

describe('flanneld --check', () => {
  it('names variables that nothing reads and flags that are ignored, and exits with 0: a start would work', () => {
    const environment = { FLANNELD_ETCD_ENDPOINT: 'hunter2', FLANNELD_VMODULE: 'x=1' }
    const { status, stdout, stderr } = run(['--check', '-logtostderr', '--etcd-endpoints=http://a:1/v2'], environment)
    expect(String(stderr).split('\n')).toEqual([
      'flanneld: FLANNELD_ETCD_ENDPOINT is not read: no flag has that name; did you mean FLANNELD_ETCD_ENDPOINTS?',
      "flanneld: --logtostderr, FLANNELD_VMODULE of upstream's log: ignored; the log goes to standard error, see --v and --log-format",
      'flanneld: /v2 in http://a:1/v2 (--etcd-endpoints) is left out: the v3 API of etcd has no path',
      '',
    ])
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
  })

  it('says nothing where nothing is wrong', () => {
    expect(run(['--check', '-iface=eth1'], { FLANNELD_IP_MASQ: '1' })).toMatchObject({
      status: 0,
      stdout: '',
      stderr: '',
    })
  })
})
