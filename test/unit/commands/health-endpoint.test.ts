import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { Conditions } from '../../../src/agent/runtime/conditions.ts'
import { serveHealth } from '../../../src/commands/health-endpoint.ts'
import { ip } from '../../../src/net/ip.ts'
import { FakeClock } from '../../fake/fake-clock.ts'
import { recordingLog } from '../../fake/recording-log.ts'
import { waitFor } from '../../lab/wait-for.ts'

const ADDRESS = ip('127.0.0.1')
const RETRY_MS = 20

test('an address that is not to be had is said once with its cure, and that it is taken as soon as it is free', async () => {
  const clock = new FakeClock()
  const log = recordingLog()
  const conditions = new Conditions({ clock, log })
  const fails = { times: 0 }
  const counted = {
    holds: (what: string): void => {
      conditions.holds(what)
    },
    fails: (...report: Parameters<Conditions['fails']>): void => {
      fails.times++
      conditions.fails(...report)
    },
  }
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const address = other.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  const answer = () => ({ ok: true, body: {} })
  const server = await serveHealth({ ip: ADDRESS, port }, { liveness: answer, readiness: answer }, counted, RETRY_MS)
  await waitFor('some attempts', async () => {
    await clock.advance(60_000)
    return fails.times > 3
  })
  expect(log.lines).toEqual([
    `error health endpoint: cannot listen on 127.0.0.1 port ${port}: another program listens there: end it, or choose another --healthz-port; trying again, the agent goes on`,
  ])
  expect(conditions.all()).toMatchObject([{ what: 'health endpoint', effect: 'none' }])
  conditions.sessionEnded()
  expect(conditions.all()).toHaveLength(1)
  other.close()
  await waitFor('the server to listen', () => server.port)
  expect(log.lines.at(-1)).toBe('info health endpoint: works now')
  expect(log.lines).toHaveLength(2)
  expect(conditions.all()).toEqual([])
  server.close()
})
