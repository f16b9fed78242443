import { describe, expect, test } from 'vitest'
import { waitFor } from '../lab/index.ts'
import { wholeDevice } from './expected-tables.ts'
import { bringUp, DEVICE, useLab } from './use-lab.ts'

/** How soon damage from outside must be undone. */
const HEALED_WITHIN_MS = 2000

describe('what somebody else changes on our device', () => {
  const lab = useLab({ hosts: 2 }, bringUp)

  test.each([
    ['a flushed route table', `ip route flush dev ${DEVICE}`],
    ['deleted neighbours', `ip neigh flush nud all dev ${DEVICE}`],
    [
      'deleted fdb entries',
      `bridge -o fdb show dev ${DEVICE} | while read mac rest; do bridge fdb del $mac dev ${DEVICE}; done`,
    ],
    ['a device set down', `ip link set ${DEVICE} down`],
    ['another MTU', `ip link set ${DEVICE} mtu 1280`],
    ['another MAC', `ip link set ${DEVICE} address 82:00:00:00:00:99`],
    ['a removed address', `ip -4 address flush dev ${DEVICE}`],
  ])('%s is put right', async (_, command) => {
    const host = lab().host(0)
    const before = await wholeDevice(host)
    await host.place.exec('sh', ['-c', command])
    await waitFor(
      'the device to be as before',
      async () => {
        expect(await wholeDevice(host)).toEqual(before)
        return true
      },
      { deadlineMs: HEALED_WITHIN_MS },
    )
  })
})
