import { expect, test } from 'vitest'
import { enoughNeighbours, roomCure } from '../../../src/kernel/neighbour-table.ts'

test.each([
  [1_024, 0, 4_096],
  [1_024, 41, 4_096],
  [1_024, 897, 8_192],
  [1_024, 2_000, 16_384],
  [4_096, 41, 8_192],
  [5_000, 41, 16_384],
  [1_024, 10_000, 65_536],
])('where there is room for %i neighbours and that is too little, %i peers are given %i', (most, peers, enough) => {
  expect(enoughNeighbours(most, peers)).toBe(enough)
})

test('the cure raises all three bounds, so that the kernel does not tidy up all the time', () => {
  expect(roomCure(6, 1_024, 1_000)).toBe(
    'sysctl -w net.ipv6.neigh.default.gc_thresh3=8192 net.ipv6.neigh.default.gc_thresh2=4096 ' +
      'net.ipv6.neigh.default.gc_thresh1=2048 on the host itself, and the same in /etc/sysctl.d',
  )
})
