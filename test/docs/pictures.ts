/*
 * npm run pictures: makes docs/images/page-*.png anew, of documents that are always the same and at a time that is always the same.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildPage } from '../../packaging/page/page.mjs'
import { pageFile } from '../../src/page/page-file.ts'
import type { Reach } from '../../src/probe/reach.ts'
import type { ConditionStatus, StatusEvent } from '../../src/status/document.ts'
import { documentsOf, type AgentDocuments } from '../fake/page/documents.ts'
import { FakeAgentServer } from '../fake/page/server.ts'
import { launchBrowser } from '../lab/browser.ts'

const FOLDER = join(import.meta.dirname, '../../docs/images')
const NOW_MS = Date.parse('2026-03-14T03:07:42Z')
const SIZE = { width: 1200, height: 900 }
/** They are kept in the repository for ever, in octets. */
const MOST_OCTETS = 150_000

const ago = (seconds: number): string => new Date(NOW_MS - seconds * 1_000).toISOString()

const event = (id: number, seconds: number, level: StatusEvent['level'], text: string): StatusEvent =>
  ({ id, at: ago(seconds), level, text, fields: {} }) as StatusEvent

const condition = (what: string, reason: string, seconds: number): ConditionStatus => ({
  ...{ what, reason, effect: 'degraded', since: ago(seconds), forSeconds: seconds, fault: null },
})

const five = (): AgentDocuments =>
  documentsOf({
    ...{ peers: 4, network: '10.244.0.0/16', subnetLength: 24, nowMs: NOW_MS },
    reaches: new Map([[2, 'unreachable']]),
    conditions: [condition('answers of peers over IPv4', '1 of 4 peers does not answer: rack1-host3', 402)],
    events: [
      event(1, 700, 'info', 'rack1-host4 has joined'),
      event(2, 402, 'warn', 'rack1-host3 does not answer over the overlay'),
    ],
  })

function fiveThousand(): AgentDocuments {
  const reaches = new Map<number, Reach>()
  for (let peer = 1_408; peer < 1_440; peer++) reaches.set(peer, 'unreachable')
  for (let peer = 5; peer < 5_000; peer += 997) reaches.set(peer, 'lossy')
  for (let peer = 9; peer < 5_000; peer += 1_401) reaches.set(peer, 'mtu')
  for (let peer = 100; peer < 5_000; peer += 421) reaches.set(peer, 'unknown')
  return documentsOf({
    ...{ peers: 4_999, reaches, reserved: [3, 50, 600], nowMs: NOW_MS },
    conditions: [condition('answers of peers over IPv4', '32 of 4999 peers do not answer, such as rack45-host1', 311)],
  })
}

const PICTURES = [
  ['page-5-light', five(), 'light'],
  ['page-5-dark', five(), 'dark'],
  ['page-5000-light', fiveThousand(), 'light'],
  ['page-5000-dark', fiveThousand(), 'dark'],
] as const

const { body, headers } = pageFile((await buildPage()).text)
mkdirSync(FOLDER, { recursive: true })
const browser = await launchBrowser()
try {
  for (const [name, documents, colorScheme] of PICTURES) {
    const server = await FakeAgentServer.start(documents, (_, response) => {
      response.writeHead(200, { ...headers, 'content-type': 'text/html' }).end(body)
    })
    const context = await browser.newContext({ colorScheme, viewport: SIZE, timezoneId: 'UTC', locale: 'en-GB' })
    const page = await context.newPage()
    await page.clock.setFixedTime(NOW_MS)
    await page.goto(`http://127.0.0.1:${server.port}/`)
    await page.locator('#nodes tbody tr').first().waitFor()
    const picture = await page.screenshot()
    if (picture.length > MOST_OCTETS) throw new Error(`${name} has ${picture.length} octets, ${MOST_OCTETS} at most`)
    writeFileSync(join(FOLDER, `${name}.png`), picture)
    await context.close()
    await server.close()
  }
} finally {
  await browser.close()
}
