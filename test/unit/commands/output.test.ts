import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PluginWorld } from '../../fake/scripted-plugin.ts'

const NODE = [process.execPath, join(import.meta.dirname, '../../../dist/flanneld.cjs')] as const
const PROGRAM = NODE.map((word) => `'${word}'`).join(' ')

/** More than pipes and sockets take at once (pipe(7), socket(7)). */
const LENGTH = 1_000_000
const NOTES = 'n'.repeat(1_000)

/** A delegate whose result is longer than {@link LENGTH}, and how a runtime would call us. */
async function talkativeDelegate() {
  const world = await PluginWorld.create()
  const note = `printf '"%s",' ${NOTES}`
  const notes = `for _ in $(seq ${LENGTH / NOTES.length}); do ${note}; done`
  await world.install('bridge', `printf '{"notes":['; ${notes}; printf '""]}'`)
  const conf = { cniVersion: '1.0.0', name: 'net', subnetFile: world.subnetFile, dataDir: world.dataDir }
  const env = {
    PATH: process.env['PATH'],
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: '/run/netns/c1',
    CNI_IFNAME: 'eth0',
    CNI_PATH: join(world.folder, 'bin'),
  }
  return { input: JSON.stringify(conf), env }
}

const shell = (script: string, options: object = {}) => {
  const { stdout, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8', ...options })
  return { stdout: stdout.trim(), stderr: stderr.trim() }
}

describe('what a command prints', () => {
  it('arrives whole through a pipe, however long it is', async () => {
    const { input, env } = await talkativeDelegate()
    const { stdout, stderr } = shell(`{ ${PROGRAM} cni; echo $? >&2; } | { sleep 0.1; cat; }`, { input, env })
    expect(stderr).toBe('0')
    expect(stdout.length).toBeGreaterThan(LENGTH)
    expect(() => JSON.parse(stdout) as unknown).not.toThrow()
  })

  it.each(['--help', 'docker-opts --help', 'cleanup --help'])(
    'is a failure where it cannot be written: flanneld %s',
    (args) => {
      const { stderr } = shell(`${PROGRAM} ${args} >/dev/full; echo $? >&2`)
      expect(stderr).toMatch(/^flanneld: cannot write to standard output: .*ENOSPC.*\n1$/)
    },
  )

  it('is a failure where only a part of it could be written to a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'output-'))
    // What is beyond the limit is not written (setrlimit(2)), as on a full disk.
    const script = `trap '' XFSZ; ulimit -f 4; ${PROGRAM} --help >${join(folder, 'help')}; echo $? >&2`
    expect(shell(script).stderr).toMatch(/^flanneld: cannot write to standard output: .*EFBIG.*\n1$/)
    rmSync(folder, { recursive: true })
  })

  it('is a failure when the result of ADD reaches nobody', async () => {
    const { input, env } = await talkativeDelegate()
    const { stderr } = shell(`{ ${PROGRAM} cni; echo $? >&2; } | true`, { input, env })
    expect(stderr).toMatch(/cannot write to standard output: .*EPIPE.*\n1$/)
  })

  it('is a failure when standard output is closed, where it is what the command is for', async () => {
    const { input, env } = await talkativeDelegate()
    expect(shell(`${PROGRAM} cni >&-; echo $? >&2`, { input, env }).stderr).toMatch(
      /cannot write to standard output: it is closed\n1$/,
    )
    const folder = mkdtempSync(join(tmpdir(), 'output-'))
    const file = join(folder, 'subnet.env')
    writeFileSync(
      file,
      'FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=10.15.64.1/20\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n',
    )
    const options = (redirection: string) =>
      shell(`${PROGRAM} docker-opts -f ${file} -d /dev/stdout ${redirection}; echo $? >&2`).stderr
    expect(options('>&-')).toMatch(/cannot write \/dev\/stdout: standard output: it is closed\n1$/)
    expect(options('>/dev/null')).toBe('0')
    rmSync(folder, { recursive: true })
  })

  it('goes to standard error when standard output is closed, where it only says what was done', () => {
    const folder = mkdtempSync(join(tmpdir(), 'output-'))
    const file = join(folder, 'notes')
    writeFileSync(file, 'mine\n')
    const cleanup = (redirection: string) =>
      shell(`${PROGRAM} cleanup --dry-run --subnet-file ${file} ${redirection}`).stderr
    expect(cleanup('>&-')).toContain(`left alone ${file}`)
    expect(cleanup('>/dev/null')).not.toContain(file)
    rmSync(folder, { recursive: true })
  })

  it('ends with a failure where the command could not look at all of its own', () => {
    const folder = mkdtempSync(join(tmpdir(), 'output-'))
    const file = join(folder, 'circle')
    symlinkSync(file, file)
    const { stderr } = shell(`${PROGRAM} cleanup --dry-run --subnet-file ${file} >/dev/null; echo $? >&2`)
    expect(shell(`${PROGRAM} cleanup --dry-run --subnet-file /etc/passwd/file`).stderr).not.toContain('ENOTDIR')
    expect(stderr).toMatch(/^flanneld cleanup: failed: .*ELOOP.*\n(.*\n)*1$/m)
    rmSync(folder, { recursive: true })
  })

  it('does not hold the process that is asked to stop while nobody reads', async () => {
    const { input, env } = await talkativeDelegate()
    const [command, ...args] = [...NODE, 'cni'] as const
    const child = spawn(command, args, { env })
    child.stdin.end(input)
    await once(child.stdout, 'readable')
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([1, null])
    child.stdout.destroy()
  })
})
