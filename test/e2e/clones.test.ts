import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { CONFIG, useLab } from './use-lab.ts'

const WATCHED_MS = 5000
/** What a node in trouble may write in that time: a try or two, then ever more slowly. */
const MOST_WRITES = 25

describe('two machines cloned from one image, machine id included', () => {
  const lab = useLab({ hosts: 2, machineId: '0123456789abcdef0123456789abcdef' }, (it) => it.putConfig(CONFIG))

  test('do not fight over one lease at full speed, and say what is the matter', async () => {
    lab().host(0).agent.start()
    await lab().host(0).ready()
    lab().host(1).agent.start()
    const before = await lab().revision()
    await delay(WATCHED_MS)
    expect((await lab().revision()) - before).toBeLessThan(MOST_WRITES)
    const logs = await Promise.all(lab().hosts.map(({ agent }) => agent.log()))
    expect(logs.join('')).toMatch(/node.id/i)
  })
})
