import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { runTool } from '../../../src/firewall/command.ts'
import { waitFor } from '../../lab/wait-for.ts'

const signal = new AbortController().signal

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tools-'))
  vi.stubEnv('PATH', `${folder}:${process.env['PATH'] ?? ''}`)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

/** Puts a program where programs are looked for first. */
async function install(name: string, script: string): Promise<void> {
  const path = join(folder, name)
  await writeFile(path, `#!/bin/sh\n${script}\n`)
  await chmod(path, 0o755)
}

const refusal = (code: string, ...words: readonly string[]): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(new RegExp(words.join('.*'), 's')) as unknown })

describe('a program of the firewall', () => {
  test('is given its input, and what it prints comes back', async () => {
    await install('iptables-restore', 'echo "$@"; cat')
    expect(await runTool('iptables-restore', ['--noflush', '-w'], '*nat\n', signal)).toBe('--noflush -w\n*nat\n')
  })

  test('that prints more than is wanted is ended, and nothing of it kept; what is just as much is', async () => {
    await install('nft', 'printf 12345678; [ "$1" = on ] && exec yes; true')
    expect(await runTool('nft', ['off'], '', signal, 8)).toBe('12345678')
    await expect(runTool('nft', ['off'], '', signal, 7)).rejects.toEqual(
      refusal('TOO_LONG', 'nft prints more than 7 bytes'),
    )
    await expect(runTool('nft', ['on'], '', signal, 100_000)).rejects.toEqual(refusal('TOO_LONG'))
  })

  test('may end without reading all of its input', async () => {
    await install('iptables-restore', 'echo done')
    expect(await runTool('iptables-restore', [], 'x'.repeat(1_000_000), signal)).toBe('done\n')
  })

  test.each(['', '{"nftables":[]}'])('finds a pipe at /dev/stdin: nft with %j', async (input) => {
    await install('nft', 'echo "$1"; test -p /dev/stdin && cat < /dev/stdin; true')
    expect(await runTool('nft', ['-j'], input, signal)).toBe(`-j\n${input}`)
  })

  test('speaks English, and has not been told what was meant for us alone', async () => {
    vi.stubEnv('FLANNELD_ETCD_PASSWORD', 'secret')
    vi.stubEnv('LC_ALL', 'de_DE.UTF-8')
    const seen = (await runTool('env', [], '', signal)).split('\n')
    expect(seen).toContain('LC_ALL=C')
    expect(seen.join()).not.toContain('secret')
  })

  test.each([
    ['no PATH', undefined],
    ['an empty PATH', ''],
    ['an empty element in front', ':/usr/bin:/bin'],
    ['an empty element at the end', '/usr/bin:/bin:'],
    ['the current folder', '.:/usr/bin:/bin'],
    ['a folder below the current one', 'bin:/usr/bin:/bin'],
  ])('is never one of the folder that we stand in: %s', async (_, PATH) => {
    for (const name of ['nft', 'iptables', 'sh', 'cat', 'bin/nft', 'bin/sh']) {
      await mkdir(join(folder, 'bin'), { recursive: true })
      await install(name, 'echo run from here >&2; exit 1')
    }
    const command = fileURLToPath(new URL('../../../src/firewall/command.ts', import.meta.url))
    const script = `
      import { runTool } from ${JSON.stringify(command)}
      for (const [tool, input] of [['nft', ''], ['nft', '{}'], ['iptables', ''], ['sh', ''], ['cat', '']])
        await runTool(tool, tool === 'nft' ? ['--version'] : [], input, new AbortController().signal).catch((error) => console.log(error.message))`
    const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', script]
    const { stdout, status } = spawnSync(process.execPath, args, {
      cwd: folder,
      env: { ...process.env, PATH },
      encoding: 'utf8',
    })
    expect(status).toBe(0)
    expect(stdout).not.toContain('run from here')
  })

  test('is looked for where administrators have theirs, also with a short PATH', async () => {
    vi.stubEnv('PATH', '/usr/bin:/bin')
    const path = await runTool('sh', ['-c', 'echo $PATH'], '', signal)
    expect(path).toBe('/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin\n')
  })
})

describe('a program that fails', () => {
  test('is named with its cure when it is not there', async () => {
    await expect(runTool('iptables-that-nobody-has', [], '', signal)).rejects.toEqual(
      refusal('MISSING', '^iptables-that-nobody-has is not installed: install iptables'),
    )
  })

  test('is named with its cure when the shell before it does not find it', async () => {
    await install('nft', 'exit 127')
    await expect(runTool('nft', [], '{}', signal)).rejects.toEqual(
      refusal('MISSING', '^nft is not installed: install nftables'),
    )
    await expect(runTool('nft', [], '', signal)).rejects.toEqual(refusal('REFUSED', String.raw`\(exit code 127\)`))
  })

  test('says why it cannot be started', async () => {
    await writeFile(join(folder, 'iptables-odd'), 'no program')
    await expect(runTool('iptables-odd', [], '', signal)).rejects.toEqual(
      refusal('REFUSED', '^cannot run iptables-odd: ', 'EACCES'),
    )
  })

  test('is quoted in a line, with its exit code', async () => {
    await install('nft', 'echo out; echo "Error: a" >&2; echo "  b" >&2; exit 3')
    await expect(runTool('nft', [], '', signal)).rejects.toEqual(
      refusal('REFUSED', String.raw`^nft failed \(exit code 3\): Error: a; b$`),
    )
  })

  test('is quoted from its output where it has said nothing else', async () => {
    await install('nft', 'echo out; exit 1')
    await expect(runTool('nft', [], '', signal)).rejects.toEqual(refusal('REFUSED', String.raw`\(exit code 1\): out$`))
  })

  test('is quoted as far as a line of the log can bear', async () => {
    await install('nft', 'head -c 10000 /dev/zero | tr "\\0" x >&2; exit 1')
    await expect(runTool('nft', [], '', signal)).rejects.toEqual(refusal('REFUSED', ': x{400}$'))
  })

  test('is said to have been killed when somebody did', async () => {
    await install('nft', 'kill -TERM $$')
    await expect(runTool('nft', [], '', signal)).rejects.toEqual(
      refusal('REFUSED', String.raw`^nft failed \(SIGTERM\)`),
    )
  })

  test('and does not end, is killed with all that it was started with when we are asked to stop', async () => {
    const stop = new AbortController()
    const pidFile = join(folder, 'pid')
    await install('nft', `trap '' TERM; echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 1000`)
    const run = runTool('nft', ['-f', '-'], '{}', stop.signal)
    await waitFor('the program to run', () => existsSync(pidFile))
    const pid = (await readFile(pidFile, 'utf8')).trim()
    stop.abort(new Error('stopped'))
    await expect(run).rejects.toThrow('stopped')
    await waitFor('the program to end', () => !existsSync(`/proc/${pid}`))
  })

  test('is not started for whom has stopped already', async () => {
    await install('nft', `touch ${join(folder, 'started')}`)
    await expect(runTool('nft', [], '', AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped')
    expect(existsSync(join(folder, 'started'))).toBe(false)
  })
})
