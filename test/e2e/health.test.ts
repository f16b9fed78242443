import { describe, expect, test } from 'vitest'
import { AGENT } from '../lab/program.ts'
import { SUBNET_FILE, waitFor } from '../lab/index.ts'
import { leaseOf } from '../lab/expected-tables.ts'
import { ask, HEALTH } from '../lab/health.ts'
import { hears, saying } from './probe.ts'
import { CONFIG, useLab } from '../lab/use-lab.ts'

describe('the health endpoint of an agent', () => {
  const lab = useLab({ hosts: 1 })

  test('is not ready before there is a lease, and ready when its subnet file is written', async () => {
    const host = lab().host(0)
    host.agent.start()
    await hears(host, '/readyz', { status: 503, reasons: saying(/^lease: there is none yet/) })
    await hears(host, '/readyz', { reasons: saying(/^network configuration: .*found nothing/) })
    expect(await ask(host, '/healthz')).toMatchObject({ status: 200 })
    await lab().putConfig(CONFIG)
    await hears(host, '/readyz', { status: 200, reasons: [], degraded: [] })
    expect((await ask(host, '/readyz'))?.subnet).toBe((await leaseOf(lab(), host)).subnet)
  })

  test('stays ready, and says so, while an etcd that is frozen does not answer', async () => {
    const host = lab().host(0)
    lab().etcd.member.freeze()
    await hears(host, '/readyz', { status: 200, degraded: saying(/^etcd: is out of reach/) })
    expect(await ask(host, '/healthz')).toMatchObject({ status: 200 })
    lab().etcd.member.thaw()
    await hears(host, '/readyz', { status: 200, degraded: [] })
  })

  test('is not ready while the subnet file cannot be written, and says why', async () => {
    const { place } = lab().host(0)
    await place.exec('sh', [
      '-c',
      `rm ${SUBNET_FILE}; until mkdir ${SUBNET_FILE} 2>/dev/null; do rm -f ${SUBNET_FILE}; done`,
    ])
    await hears(lab().host(0), '/readyz', { status: 503, reasons: saying(/^subnet file: .*directory in its place/) })
    expect(await ask(lab().host(0), '/healthz')).toMatchObject({ status: 200 })
    await place.exec('rmdir', [SUBNET_FILE])
    await hears(lab().host(0), '/readyz', { status: 200, reasons: [] })
  })

  test('gives no answer while the agent stands still', async () => {
    const host = lab().host(0)
    host.agent.freeze()
    expect(await ask(host, '/healthz')).toBeUndefined()
    host.agent.thaw()
    await hears(host, '/healthz', { status: 200 })
  })

  test('says so while a loop does not come round, here one that reads a setting of the kernel', async () => {
    const host = lab().host(0)
    const setting = '/proc/sys/net/ipv4/ip_forward'
    await host.place.exec('sh', ['-c', `mkfifo /run/fifo && mount --bind /run/fifo ${setting}`])
    const stuck = saying(/^forwarding of the host: has not come round for \d+ s$/)
    await hears(host, '/healthz', { status: 503, stuck }, 60_000)
    await host.place.exec('sh', ['-c', `umount --lazy ${setting}; echo 1 > /run/fifo`])
    await hears(host, '/healthz', { status: 200, stuck: [] })
    await hears(host, '/readyz', { status: 200, reasons: [] })
  })

  test('does not keep the agent from ending, with an open connection to it', async () => {
    const host = lab().host(0)
    const idler = host.startScript(
      `exec ${process.execPath} -e "require('net').connect(${HEALTH.port}, '${HEALTH.ip}')"`,
    )
    await waitFor('the connection', async () =>
      (await host.place.exec('cat', ['/proc/net/tcp'])).includes(
        `:${HEALTH.port.toString(16).toUpperCase()} 0100007F:`,
      ),
    )
    expect(await host.agent.stop()).toEqual({ code: 0, signal: null })
    await idler.end()
  })
})

/** Somebody else's receiver of what services say: a line for each datagram, its own lines joined by spaces. */
const RECEIVER = `
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('/run/notify')
while True: print(s.recv(65536).decode().replace(chr(10), ' '), flush=True)
`
const WATCHDOG_MS = 2_000

describe('an agent that a service manager has started', () => {
  const env = ['NOTIFY_SOCKET=/run/notify', `WATCHDOG_USEC=${WATCHDOG_MS * 1_000}`]
  const lab = useLab({ hosts: 1, agentCommand: ['env', ...env, ...AGENT] })

  test('tells it when it is ready, how it is, that it lives, and that it ends', async () => {
    const host = lab().host(0)
    const receiver = host.startScript(`exec python3 -c "${RECEIVER}" > /run/notified`)
    await waitFor('the receiver', async () => (await host.place.attempt('test', ['-S', '/run/notify'])).code === 0)
    const told = async (): Promise<readonly string[]> =>
      (await host.place.exec('cat', ['/run/notified'])).split('\n').filter((line) => line !== '')
    const isTold = (what: RegExp): Promise<boolean> =>
      waitFor(`${what} to be told`, async () => (await told()).some((line) => what.test(line)), { deadlineMs: 30_000 })

    host.agent.start()
    await isTold(/STATUS=network configuration: .*found nothing/)
    expect((await told()).join()).not.toContain('READY=1')
    await lab().putConfig(CONFIG)
    await isTold(/READY=1/)
    await isTold(/STATUS=10\.\d+\.\d+\.0\/20, 0 peers, in step/)
    expect(await host.subnetFile()).toBeDefined()
    const signs = async (): Promise<number> => (await told()).filter((line) => line.includes('WATCHDOG=1')).length
    const before = await signs()
    await waitFor('two further signs of life', async () => (await signs()) >= before + 2)
    expect((await told()).filter((line) => line.includes('READY=1'))).toHaveLength(1)
    await host.agent.stop()
    await isTold(/^STOPPING=1/)
    const parting = 'what is programmed in the kernel stays, so that forwarding goes on'
    expect((await told()).at(-1)).toMatch(new RegExp(`^STOPPING=1.*stopping; ${parting}`))
    expect(await host.agent.logOfRun()).toContain(`info stopped; ${parting}`)
    await receiver.end()
  })

  test('goes on when nobody listens there, and says so once', async () => {
    const host = lab().host(0)
    await host.place.exec('rm', ['-f', '/run/notify', SUBNET_FILE])
    host.agent.start()
    await host.ready(60_000)
    expect((await host.agent.logOfRun()).match(/service manager cannot be told/g)).toHaveLength(1)
  })

  test.each([
    ['1 for what a restart may cure: an addon that is not there', ['FLANNELD_NETLINK_ADDON=/nowhere'], 1],
    ['2 for a mistake on the command line', ['FLANNELD_HEALTHZ_PORT=none'], 2],
  ])('ends with exit code %s', async (_, variables, code) => {
    const { place, agent } = lab().host(0)
    if (agent.isRunning) await agent.kill()
    const line = ['-s', 'TERM', '25', 'env', ...variables, ...AGENT, '--iface=eth0']
    expect((await place.attempt('timeout', ['--preserve-status', ...line])).code).toBe(code)
  })
})
