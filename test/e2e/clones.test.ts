import { describe, expect, test } from 'vitest'
import { CONFIG, useLab } from '../lab/use-lab.ts'

/** What two nodes in trouble may write: a lease, and a challenge with its answer. */
const MOST_WRITES = 10

describe('two machines cloned from one image, machine id included', () => {
  const lab = useLab({ hosts: 2, machineId: '0123456789abcdef0123456789abcdef' }, (it) => it.putConfig(CONFIG))

  test('do not fight over one lease: the second goes on under an identity of its own, and says what is the matter', async () => {
    const [first, second] = [lab().host(0), lab().host(1)]
    first.agent.start()
    await first.ready()
    const [held, before] = [await lab().leases(), await lab().revision()]
    second.agent.start()
    await second.ready()
    expect(await second.agent.log()).toMatch(/warn .*machine id.*--node-id/)
    expect(await lab().leases()).toEqual(expect.arrayContaining([...held]))
    expect((await lab().revision()) - before).toBeLessThan(MOST_WRITES)
  })
})
