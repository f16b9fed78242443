import { copyFile, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Agent } from '../lab/agent.ts'
import { outcomeOf } from '../lab/command.ts'
import { HEALTH_FLAGS } from '../lab/health.ts'
import { isReady, waitFor } from '../lab/index.ts'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'

const CHECKOUT = join(import.meta.dirname, '../..')
const EXECUTABLE = join(CHECKOUT, 'dist/flanneld')

const READ_ONLY_FOLDERS = `for folder in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o ro tmpfs $folder; done
export TMPDIR=/nonexistent RUNTIME_DIRECTORY=/nonexistent`
/** A property of the PID namespace (Documentation/admin-guide/sysctl/vm.rst): memory files are never executable. */
const NOT_EXECUTABLE = 'echo 2 > /proc/sys/vm/memfd_noexec'
/** As a filter of system calls refuses them. */
const NO_MEMORY_FILES =
  'set -- strace -f -qq -o /dev/null -e inject=memfd_create:error=EPERM -e trace=memfd_create "$@"'

/** What surrounds the process, and the shell lines that make it so, in mount and PID namespaces of their own. */
const SURROUNDINGS: readonly (readonly [what: string, setup: string])[] = [
  ['on a root that is read-only', 'mount -o remount,ro,bind /'],
  ['with a /tmp from which nothing may be executed', 'mount -t tmpfs -o noexec tmpfs /tmp'],
  ['with no place to write a temporary file to', READ_ONLY_FOLDERS],
  ['where settings of the kernel cannot be written', 'mount -o remount,ro,bind /proc/sys'],
  ['with variables that are meant for Node', 'export NODE_OPTIONS=--require=/nonexistent NODE_PATH=/nonexistent'],
  ['without a PATH', 'export PATH=/nonexistent'],
  ['where memory files are not executable', NOT_EXECUTABLE],
  ['where the kernel gives no memory files, out of a file that is gone again', NO_MEMORY_FILES],
]

/** The program is opened before its folder may be hidden. */
const IN_SURROUNDINGS = `mount --bind /proc/sys /proc/sys
setup=$1
exec 9<"$2"
shift 2
set -- /proc/self/fd/9 "$@"
eval "$setup"
exec "$@"`

describe('the single executable', () => {
  const lab = useLab({ hosts: 1 }, (it) => it.putConfig(CONFIG))
  const host = () => lab().host(0)
  let folder = ''
  let agent: Agent | undefined

  const unshared = (setup: string) =>
    [
      'unshare',
      '--mount',
      '--pid',
      '--fork',
      '--mount-proc',
      '--kill-child',
      'sh',
      '-ec',
      IN_SURROUNDINGS,
      'sh',
      setup,
    ] as const

  function start(...command: readonly [string, ...string[]]): Agent {
    const flags = [
      `--etcd-endpoints=${lab().etcd.endpoints.join(',')}`,
      '--iface=eth0',
      '--iptables-forward-rules=false',
      ...HEALTH_FLAGS,
    ]
    const started = new Agent(host().place, command, flags, join(folder, 'agent.log'))
    started.start()
    agent = started
    return started
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(CHECKOUT, '.cache/executable-'))
  })
  afterEach(async () => {
    if (agent?.isRunning) await agent.kill()
    await host().place.exec('sh', ['-c', `ip link del ${DEVICE}; rm -rf /run/flannel`])
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test.each(SURROUNDINGS)('leases, makes its device and writes the subnet file %s', async (_, setup) => {
    const started = start(...unshared(setup), EXECUTABLE)
    await host().ready()
    expect(await host().link(DEVICE)).toBeDefined()
    expect(started.isRunning).toBe(true)
    expect((await host().place.exec('ls', ['/run', '/run/tmp'])).split('\n')).not.toContainEqual(
      expect.stringMatching(/^flanneld-/),
    )
  })

  test('says what it tried where nothing may be loaded from anywhere', async () => {
    const noexec =
      'for folder in /tmp /var/tmp /dev/shm /run; do mount -t tmpfs -o noexec tmpfs $folder; done; unset TMPDIR'
    const alone = join(folder, 'alone')
    await copyFile(EXECUTABLE, alone)
    const [command, ...args] = [...unshared(`${NO_MEMORY_FILES}; ${noexec}`), alone, '--iface=eth0']
    expect(await outcomeOf(host().place.line(command, args))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /inside the executable: the kernel gives no memory file, and no folder will do: .*\/tmp\/flanneld-/,
      ) as string,
    })
  })

  test('runs on when another is put in its place, which is what runs next', async () => {
    const installed = join(folder, 'flanneld')
    const fresh = join(folder, 'flanneld.new')
    await copyFile(EXECUTABLE, installed)
    await copyFile(EXECUTABLE, fresh)
    const first = start(installed)
    await host().ready()
    await rename(fresh, installed)
    await host().place.exec('ip', ['link', 'del', DEVICE])
    await waitFor('the device to be back', () => host().link(DEVICE))
    await first.stop()
    start(installed)
    await isReady(host())
  })
})
