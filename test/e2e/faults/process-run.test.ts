import { afterEach, describe, expect, test } from 'vitest'
import { fails, forwards, type LabHost } from '../../lab/index.ts'
import { says, timesSaid } from '../../lab/log.ts'
import { bringUp, useLab } from '../../lab/use-lab.ts'
import { allExact, inCircle, losesNoPing } from './etcd-overlay.ts'

/** Share of one processor that trying again may take. */
const MOST_CPU = 0.05
const COMPLAINT = /cannot write \/run\/flannel\/subnet\.env: (ENOSPC|EROFS).*retrying/
const PATIENTLY = { deadlineMs: 20_000 }

const lab = useLab({ hosts: 3 }, bringUp)

const shell = ({ place }: LabHost, script: string): Promise<string> => place.exec('sh', ['-ec', script])

/** A reason why nothing can be written to /run. */
interface Obstacle {
  readonly title: string
  begin(host: LabHost): Promise<unknown>
  end(host: LabHost): Promise<unknown>
}

const OBSTACLES: readonly Obstacle[] = [
  {
    title: 'process: /run full at start: said once, retried, forwarding goes on, subnet.env only once there is room',
    begin: (host) =>
      shell(host, 'mount -o remount,size=1m /run; head -c 2m /dev/zero > /run/filler || true; test ! -s /run/none'),
    end: (host) => shell(host, 'rm -f /run/filler; mount -o remount,size=50% /run'),
  },
  {
    title: 'process: /run read-only at start: said once, retried, forwarding goes on, subnet.env only once writable',
    begin: (host) => shell(host, 'mount -o remount,bind,ro /run'),
    end: (host) => shell(host, 'mount -o remount,bind,rw /run'),
  },
]

describe('a /run that cannot be written to', () => {
  const host = (): LabHost => lab().host(0)

  afterEach(async () => {
    for (const obstacle of OBSTACLES) await obstacle.end(host())
    if (!host().agent.isRunning) host().agent.start()
    await allExact(lab(), 15_000)
  })

  for (const obstacle of OBSTACLES)
    test(obstacle.title, async () => {
      const one = host()
      await one.agent.kill()
      await one.place.exec('rm', ['-rf', '/run/flannel'])
      await obstacle.begin(one)
      await losesNoPing(inCircle(lab().hosts), async () => {
        one.agent.start()
        await forwards(one, PATIENTLY)
        await fails(one, 'subnet file', /^cannot be written: (ENOSPC|EROFS)/, PATIENTLY)
        // meanwhile it tries once a second
        expect(await one.agent.cpuShare(4_000), 'share of a processor').toBeLessThan(MOST_CPU)
        expect(await timesSaid(one, /cannot write/)).toBe(1)
        expect(await timesSaid(one, COMPLAINT)).toBe(1)
        expect(await one.subnetFile()).toBeUndefined()
        expect(await timesSaid(one, /subnet file written/)).toBe(0)
        await obstacle.end(one)
        await one.ready(5_000)
        await says(one, /subnet file written/, PATIENTLY)
        await allExact(lab())
      })
    })
})
