import { expect, it } from 'vitest'
import { openIcmp } from '../../../src/icmp/icmp-socket.ts'
import { refusalWords } from '../../../src/icmp/refusal-words.ts'
import { loadAddon } from '../../../src/native/load.ts'

const [EPERM, EACCES] = [-1, -13]

it('where neither kind of socket can be had, it is said what is missing', () => {
  const addon = { ...loadAddon(), openIcmp: (_: 4 | 6, isRaw: boolean) => (isRaw ? EPERM : EACCES) }
  expect(openIcmp(4, 7, addon)).toEqual({
    why: 'no ICMP socket can be had: a raw one takes CAP_NET_RAW (EPERM), a ping socket a group within net.ipv4.ping_group_range (EACCES)',
  })
})

it.each([
  [
    { family: 4, origin: 2, type: 3, code: 1, error: 'EHOSTUNREACH', from: '10.0.0.1' },
    'host unreachable from 10.0.0.1',
  ],
  [
    { family: 4, origin: 2, type: 3, code: 4, error: 'EMSGSIZE', from: '10.0.0.1' },
    'fragmentation needed from 10.0.0.1',
  ],
  [{ family: 4, origin: 2, type: 3, code: 99, error: 'EPROTO', from: '10.0.0.1' }, 'EPROTO from 10.0.0.1'],
  [{ family: 4, origin: 2, type: 11, code: 0, error: 'EHOSTUNREACH', from: '10.0.0.1' }, 'time exceeded from 10.0.0.1'],
  [
    { family: 6, origin: 3, type: 1, code: 3, error: 'EHOSTUNREACH', from: 'fe80::1' },
    'address unreachable from fe80::1',
  ],
  [{ family: 6, origin: 3, type: 2, code: 0, error: 'EMSGSIZE', from: 'fe80::1' }, 'packet too big from fe80::1'],
  [{ family: 6, origin: 3, type: 3, code: 0, error: 'EHOSTUNREACH', from: 'fe80::1' }, 'time exceeded from fe80::1'],
  [{ family: 4, origin: 1, type: 0, code: 0, error: 'EMSGSIZE', from: undefined }, 'EMSGSIZE on this host'],
] as const)('what is said against a packet, in words: %j', (said, words) => {
  expect(refusalWords(said)).toBe(words)
})
