import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadAddon } from '../../../src/native/load.ts'
import { sendDatagram } from '../../../src/native/unix-datagram.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'notify-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

/** Somebody else's receiver: says when it listens, then one datagram, then ends. */
const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace('@', chr(0), 1) if sys.argv[1].startswith('@') else sys.argv[1])
print('listening', flush=True)
s.settimeout(10)
print(s.recv(65536).decode(), end='', flush=True)
`

async function receive(socket: string, act: () => void): Promise<string> {
  const receiver = spawn('python3', ['-c', RECEIVER, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  const output: string[] = []
  receiver.stdout.setEncoding('utf8')
  receiver.stdout.on('data', (text: string) => output.push(text))
  await once(receiver.stdout, 'data')
  act()
  await once(receiver, 'close')
  return output.join('').replace('listening\n', '')
}

describe('a datagram', () => {
  test.each([
    ['a path', () => join(directory, 'notify')],
    ['an abstract name', () => `@${directory}/notify`],
  ])('reaches a socket on %s', async (_, socketOf) => {
    const socket = socketOf()
    const sent: unknown[] = []
    const text = await receive(socket, () => sent.push(sendDatagram(socket, 'READY=1\nSTATUS=ünïx')))
    expect(sent).toEqual([undefined])
    expect(text).toBe('READY=1\nSTATUS=ünïx')
  })

  test('that nobody takes is an error with a name, at once', () => {
    expect(sendDatagram(join(directory, 'nobody'), 'x')).toBe('ENOENT')
    expect(sendDatagram(`@${directory}/nobody`, 'x')).toBe('ECONNREFUSED')
    expect(sendDatagram(`/${'x'.repeat(200)}`, 'x')).toBe('ENAMETOOLONG')
    expect(sendDatagram('', 'x')).toBe('ENAMETOOLONG')
  })

  test('leaves no file descriptor behind', () => {
    const before = readdirSync('/proc/self/fd').length
    for (let at = 0; at < 100; at++) sendDatagram(join(directory, 'nobody'), 'x')
    expect(readdirSync('/proc/self/fd').length).toBeLessThan(before + 50)
  })

  test('of anything but bytes is a mistake that throws', () => {
    for (const wrong of [['/x', 'y'], []])
      expect(() => {
        Reflect.apply(loadAddon().sendUnix, undefined, wrong)
      }).toThrow('Uint8Array')
  })
})
