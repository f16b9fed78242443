import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../lab/wait-for.ts'

const PROGRAM = join(import.meta.dirname, '../../../dist/flanneld.cjs')
const SUBNET_FILE = 'FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=10.1.16.1/20\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'docker-opts-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

describe('flanneld docker-opts, of a subnet file that is none', () => {
  it('reads what a shell hands over', () => {
    const script = `'${process.execPath}' '${PROGRAM}' docker-opts -c -f <(printf '${SUBNET_FILE}') -d '${folder}/env'`
    expect(spawnSync('bash', ['-c', script], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
    expect(readFileSync(join(folder, 'env'), 'utf8')).toContain('--mtu=1450')
  })

  it('ends when it is asked to, though nobody writes to its FIFO', async ({ onTestFinished }) => {
    const fifo = join(folder, 'fifo')
    spawnSync('mkfifo', [fifo])
    const child = spawn(process.execPath, [PROGRAM, 'docker-opts', '-f', fifo, '-d', join(folder, 'env')])
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    const threads = `/proc/${child.pid}/task`
    const opens = (thread: string): boolean =>
      readFileSync(`${threads}/${thread}/wchan`, 'utf8').includes('wait_for_partner')
    await waitFor('a thread of it to wait for a writer', () => readdirSync(threads).some(opens))
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    expect(await ended).toEqual([1, null])
  })

  it.each(['/dev/zero', '/proc'])('refuses %s at once', (path) => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [PROGRAM, 'docker-opts', '-f', path, '-d', `${folder}/env`],
      {
        encoding: 'utf8',
      },
    )
    expect(stderr).toMatch(new RegExp(`cannot read ${path}, .* is a (character device|directory)`))
    expect(status).toBe(1)
  })
})
