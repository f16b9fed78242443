import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findServiceManager, notifier, notifyMessage } from '../../../src/host/sd-notify.ts'

const SOCKET = { NOTIFY_SOCKET: '/run/systemd/notify' }

describe('the service manager', () => {
  test.each([
    ['none', {}, undefined],
    ['none when the variable is empty', { NOTIFY_SOCKET: '' }, undefined],
    ['on a path', SOCKET, { socket: '/run/systemd/notify', watchdogMs: undefined }],
    ['on an abstract name', { NOTIFY_SOCKET: '@a' }, { socket: '@a', watchdogMs: undefined }],
    ['with a watchdog for us', { ...SOCKET, WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, { watchdogMs: 30_000 }],
    ['with a watchdog for everyone', { ...SOCKET, WATCHDOG_USEC: '30000000' }, { watchdogMs: 30_000 }],
    [
      'with a watchdog for another',
      { ...SOCKET, WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' },
      { watchdogMs: undefined },
    ],
    ['with a watchdog of no time', { ...SOCKET, WATCHDOG_USEC: '0' }, { watchdogMs: undefined }],
    ['with a watchdog that is no number', { ...SOCKET, WATCHDOG_USEC: '-3s' }, { watchdogMs: undefined }],
  ])('%s', (_, env, found) => {
    const result = findServiceManager(env, 7)
    if (found === undefined) expect(result).toBeUndefined()
    else expect(result).toMatchObject(found)
  })

  test.each([
    ['vsock:2:1234', 'neither a path nor an abstract name'],
    ['relative', 'neither a path nor an abstract name'],
    [`/${'x'.repeat(107)}`, 'longer than 107 octets'],
  ])('of another kind is refused with the reason: %s', (socket, reason) => {
    expect(findServiceManager({ NOTIFY_SOCKET: socket }, 7)).toContain(reason)
  })

  test('never throws, and never waits for less than a timer can or more than it may', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (socket, usec, pid) => {
        const found = findServiceManager({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: pid }, 7)
        const ms = typeof found === 'object' ? found.watchdogMs : undefined
        expect(ms === undefined || (ms >= 10 && ms < 2 ** 31)).toBe(true)
      }),
    )
  })
})

test('a message has a line per assignment, whatever the values bring along', () => {
  expect(notifyMessage({ READY: '1', STATUS: 'one\nSTOPPING=1\r\ntwo' })).toBe('READY=1\nSTATUS=one STOPPING=1 two')
})

test('what does not get there is complained of once, and answered each time', () => {
  const complaints: string[] = []
  let error: string | undefined = 'ECONNREFUSED'
  const tell = notifier(
    { socket: '/run/notify' },
    () => error,
    (text) => complaints.push(text),
  )
  expect([tell({ READY: '1' }), tell({ READY: '1' })]).toEqual([false, false])
  expect(complaints).toEqual(['the service manager cannot be told how we are: ECONNREFUSED at /run/notify'])
  error = undefined
  expect(tell({ READY: '1' })).toBe(true)
})
