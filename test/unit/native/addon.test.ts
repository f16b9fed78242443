import { describe, expect, it } from 'vitest'
import { loadAddon, type NetlinkAddon, type SocketHandle } from '../../../src/native/load.ts'
import { runScript } from './child.ts'

const addon = loadAddon()
const ENDED_WELL = { code: 0, signal: null }

function open(): SocketHandle {
  const socket = addon.open(0)
  if (typeof socket === 'number') throw new Error(`no socket: ${socket}`)
  return socket
}

/** Calls the addon with whatever arguments, as JavaScript may. */
const call = (name: keyof NetlinkAddon, ...args: readonly unknown[]): unknown => {
  const answer: unknown = Reflect.apply(addon[name], addon, args)
  return answer
}

describe('arguments', () => {
  const bytes = new Uint8Array(16)
  const wrong: Readonly<Record<string, (socket: SocketHandle) => unknown>> = {
    'a protocol that is no number': () => call('open', 'route'),
    'nothing at all': () => call('open'),
    'a number for a socket': () => call('portId', 3),
    'an object for a socket': () => call('send', {}, bytes, 1),
    'no socket': () => call('receive'),
    'closing what is no socket': () => call('close', null),
    'an option by name': (socket) => call('setOption', socket, 1, 'SO_RCVBUF', 1),
    'an option without value': (socket) => call('setOption', socket, 1, 8),
    'a filter of half an instruction': (socket) => call('attachFilter', socket, new Uint8Array(12)),
    'text to send': (socket) => call('send', socket, 'text', 4),
    'wider elements to send': (socket) => call('send', socket, new Uint16Array(8), 4),
    'a length that is no number': (socket) => call('send', socket, bytes, 'all'),
    'a plain array to receive into': (socket) => call('receive', socket, [0, 0]),
    'a plain array to receive all into': (socket) => call('receiveAll', socket, [0, 0], 1),
    'no room for any datagram': (socket) => call('receiveAll', socket, bytes, 0),
    'a callback that is no function': (socket) => call('poll', socket, {}),
  }
  for (const [what, misuse] of Object.entries(wrong))
    it(`of the wrong kind throw a TypeError: ${what}`, () => {
      const socket = open()
      expect(() => misuse(socket)).toThrow(TypeError)
      addon.close(socket)
    })

  it.each([17, -1])('beyond the end throw a RangeError: length %i of 16', (length) => {
    const socket = open()
    expect(() => addon.send(socket, bytes, length)).toThrow(RangeError)
    addon.close(socket)
  })

  it('the system rejects come back as negated errnos', () => {
    const [EPROTONOSUPPORT, EAGAIN, ENOPROTOOPT] = [93, 11, 92]
    const socket = open()
    expect(addon.open(999)).toBe(-EPROTONOSUPPORT)
    expect(addon.receive(socket, bytes)).toBe(-EAGAIN)
    expect(addon.receiveAll(socket, bytes, 1)).toBe(-EAGAIN)
    expect(addon.setOption(socket, 270, 9999, 1)).toBe(-ENOPROTOOPT)
    addon.close(socket)
  })
})

describe('a closed socket', () => {
  it('refuses every call but a second close', () => {
    const socket = open()
    const bytes = new Uint8Array(16)
    addon.close(socket)
    const calls = [
      () => addon.portId(socket),
      () => addon.send(socket, bytes, 1),
      () => addon.receive(socket, bytes),
      () => addon.receiveAll(socket, bytes, 1),
      () => addon.setOption(socket, 1, 8, 1),
      () => addon.attachFilter(socket, new Uint8Array(8)),
      () => addon.poll(socket, () => undefined),
    ]
    for (const attempt of calls) expect(attempt).toThrow(expect.objectContaining({ code: 'ERR_SOCKET_CLOSED' }))
    addon.close(socket)
  })

  it('keeps no process alive, though it was polled', async () => {
    const ended = await runScript(`
      const socket = addon.open(ROUTE)
      addon.poll(socket, () => addon.close(socket))
      addon.send(socket, refused(1), 32)
      process.on('exit', () => say('exit'))`)
    expect(ended).toMatchObject({ ...ENDED_WELL, said: ['exit'] })
  })

  it('may be closed with its process while polled', async () => {
    const ended = await runScript(`
      const socket = addon.open(ROUTE)
      addon.poll(socket, () => undefined)
      process.exit(0)`)
    expect(ended).toMatchObject(ENDED_WELL)
  })
})

describe('an overrun socket', () => {
  it('reports ENOBUFS to the callback and goes on polling', async () => {
    const ended = await runScript(`
      const socket = addon.open(ROUTE)
      addon.setOption(socket, SOL_SOCKET, SO_RCVBUF, 4096)
      let overrun = false
      addon.poll(socket, (status) => {
        const read = drain(socket)
        if (status < 0) {
          say({ status })
          overrun = true
          addon.send(socket, refused(1), 32)
        } else if (overrun && read > 0) {
          say('again')
          addon.close(socket)
        }
      })
      addon.send(socket, refused(2000), 64000)`)
    expect(ended).toMatchObject(ENDED_WELL)
    expect(ended.said).toEqual([{ status: -105 }, 'again'])
  })
})

describe('what is received at once', () => {
  const ANSWER = 52 // NLMSG_ERROR with the request that it is about

  it('is all that waits, one behind the other', async () => {
    const ended = await runScript(`
      const socket = addon.open(ROUTE)
      addon.send(socket, refused(3), 96)
      const bytes = new Uint8Array(65536)
      const length = addon.receiveAll(socket, bytes, 4096)
      const view = new DataView(bytes.buffer)
      say([length, view.getUint32(0, true), view.getUint32(length / 3, true), addon.receiveAll(socket, bytes, 4096)])
      addon.send(socket, refused(3), 96)
      say(addon.receiveAll(socket, bytes.subarray(0, ${2 * ANSWER}), ${ANSWER}))
      say(addon.receiveAll(socket, bytes, 4096))
      addon.close(socket)`)
    expect(ended).toMatchObject({ ...ENDED_WELL, said: [[3 * ANSWER, ANSWER, ANSWER, -11], 2 * ANSWER, ANSWER] })
  })

  it('tells what has gone wrong when it comes to it', async () => {
    const ended = await runScript(`
      const socket = addon.open(ROUTE)
      addon.send(socket, refused(3), 96)
      const few = new Uint8Array(${ANSWER + 8})
      for (let call = 0; call < 5; call++) say(addon.receiveAll(socket, few, call < 4 ? 1 : ${ANSWER}))
      addon.setOption(socket, SOL_SOCKET, SO_RCVBUF, 4096)
      addon.send(socket, refused(2000), 64000)
      const bytes = new Uint8Array(65536)
      const [overrun, read, rest] = [1, 2, 3].map(() => addon.receiveAll(socket, bytes, 4096))
      say([overrun, read > 0 && read % ${ANSWER}, rest])
      addon.close(socket)`)
    const [EMSGSIZE, EAGAIN, ENOBUFS] = [-90, -11, -105]
    expect(ended).toMatchObject({
      ...ENDED_WELL,
      said: [ANSWER, EMSGSIZE, ANSWER, EAGAIN, EAGAIN, [ENOBUFS, 0, EAGAIN]],
    })
  })
})

describe('a throwing callback', () => {
  const THROWS = `
    const socket = addon.open(ROUTE)
    let calls = 0
    addon.poll(socket, () => {
      drain(socket)
      if (++calls === 3) return addon.close(socket)
      addon.send(socket, refused(1), 32)
      throw new Error('call ' + calls)
    })
    addon.send(socket, refused(1), 32)`

  it('is an uncaught exception like any other, and polling goes on after it', async () => {
    const ended = await runScript(`process.on('uncaughtException', (error) => say(error.message));${THROWS}`)
    expect(ended).toMatchObject({ ...ENDED_WELL, said: ['call 1', 'call 2'] })
  })

  it('ends a process that does not catch it with its stack and exit code 1, not with a signal', async () => {
    const ended = await runScript(THROWS)
    expect(ended).toMatchObject({ code: 1, signal: null })
    expect(ended.stderr).toContain('Error: call 1')
  })

  it('runs promise callbacks before the next event, like every callback of Node', async () => {
    const ended = await runScript(`
      const socket = addon.open(ROUTE)
      addon.poll(socket, () => {
        addon.close(socket)
        setImmediate(() => say('next event'))
        Promise.resolve().then(() => say('promise'))
      })
      addon.send(socket, refused(1), 32)`)
    expect(ended).toMatchObject({ ...ENDED_WELL, said: ['promise', 'next event'] })
  })
})

describe('a worker thread', () => {
  it('may be terminated while its sockets are polled, busy or abandoned', async () => {
    const ended = await runScript(`
      import { Worker } from 'node:worker_threads'
      const file = new URL(${JSON.stringify(new URL('busy-worker.mjs', import.meta.url).href)})
      for (let n = 0; n < 8; n++) {
        const worker = new Worker(file, { execArgv: [], workerData: { addon: addonPath } })
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
        await worker.terminate()
      }
      say('alive')`)
    expect(ended).toMatchObject({ ...ENDED_WELL, said: ['alive'] })
  })
})

describe('garbage collection', () => {
  it('closes abandoned sockets, and leaves those that are polled', async () => {
    const ended = await runScript(
      `
      import { readdirSync } from 'node:fs'
      import { setImmediate as turn } from 'node:timers/promises'
      const descriptors = () => readdirSync('/proc/self/fd').length
      const before = descriptors()
      const polled = (() => {
        const socket = addon.open(ROUTE)
        addon.poll(socket, () => { drain(polled.deref()); say('polled'); addon.close(polled.deref()) })
        return new WeakRef(socket)
      })()
      for (let n = 0; n < 500; n++) addon.open(ROUTE)
      say(descriptors() - before > 500)
      for (let n = 0; n < 20; n++) { gc(); await turn() }
      say(descriptors() - before <= 2)
      addon.send(polled.deref(), refused(1), 32)`,
      ['--expose-gc'],
    )
    expect(ended).toMatchObject(ENDED_WELL)
    expect(ended.said).toEqual(expect.arrayContaining([true, 'polled', true]))
    expect(ended.said).not.toContain(false)
  })
})
