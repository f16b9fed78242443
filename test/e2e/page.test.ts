import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import axe, { type AxeResults } from 'axe-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { pageFile } from '../../src/page/page-file.ts'
import type { Reach } from '../../src/probe/reach.ts'
import { documentsOf, type AgentDocuments } from '../fake/page/documents.ts'
import { FakeAgentServer } from '../fake/page/server.ts'
import { launchBrowser, noBrowser } from '../lab/browser.ts'
import { HEALTH } from '../lab/health.ts'
import { waitFor } from '../lab/index.ts'
import { AGENT } from '../lab/program.ts'
import { CONFIG, useLab } from '../lab/use-lab.ts'

const FILE = join(import.meta.dirname, '../../dist/page.html')
const CUT: ReadonlyMap<number, Reach> = new Map([
  [2, 'unreachable'],
  [40, 'lossy'],
  [1_700, 'mtu'],
])
/** As somebody would choose them who wants to run in an operator's browser, or to be taken for another. */
const HOSTILE = [
  '<img src=x onerror="window.taken=1">',
  '</script><script>window.taken=1</script>',
  '"><svg onload=window.taken=1>',
  '\u202ereversed\u0000\u001b[31m',
]

let browser: Browser | undefined
beforeAll(async () => {
  if (noBrowser === undefined) browser = await launchBrowser()
})
afterAll(() => browser?.close())

/** A page, what it has complained of, and whom it has asked. */
interface Opened {
  readonly page: Page
  readonly complaints: string[]
  readonly asked: string[]
}

async function open(url: string, options: BrowserContextOptions = {}): Promise<Opened> {
  if (browser === undefined) throw new Error('there is no browser')
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  context.setDefaultTimeout(15_000)
  const page = await context.newPage()
  const [complaints, asked]: [string[], string[]] = [[], []]
  page.on('console', (message) => complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(error.message))
  context.on('request', (request) => asked.push(new URL(request.url()).origin))
  await page.goto(url)
  return { page, complaints, asked }
}

const title = (page: Page, text: string, timeout = 15_000): Promise<void> =>
  page.locator('#title', { hasText: text }).waitFor({ timeout })

describe.skipIf(noBrowser !== undefined)(
  `the page in a browser${noBrowser === undefined ? '' : ` (${noBrowser})`}`,
  () => {
    let server: FakeAgentServer | undefined
    let opened: Opened | undefined
    afterEach(async () => {
      await opened?.page.context().close()
      await server?.close()
    })

    async function show(documents: AgentDocuments, options?: BrowserContextOptions): Promise<Opened> {
      const { body, headers } = pageFile(readFileSync(FILE, 'utf8'))
      server = await FakeAgentServer.start(documents, (request, response) => {
        if (request.url === '/') response.writeHead(200, { ...headers, 'content-type': 'text/html' }).end(body)
        else response.writeHead(404).end()
      })
      opened = await open(`http://127.0.0.1:${server.port}/`, options)
      return opened
    }

    test.each([
      [5, 'light', 1280],
      [5_000, 'dark', 360],
    ] as const)('shows %i nodes in %s, %i wide, and asks nobody else', async (peers, colorScheme, width) => {
      const reaches = new Map([...CUT].filter(([at]) => at < peers))
      const { page, complaints, asked } = await show(documentsOf({ peers, reaches }), {
        ...{ colorScheme, viewport: { width, height: 800 } },
      })
      const number = peers === 5 ? '5' : '5\u00a0000'
      await title(page, `${reaches.size} peer${reaches.size === 1 ? '' : 's'} of ${number} ha`)
      await page.getByText(`${number} peers: 1 not reached`).waitFor()
      await page.getByText(/^Map of 10\.0\.0\.0\/8: /).waitFor()
      expect(await page.locator('#nodes tbody tr').count()).toBe(Math.min(peers, 50))
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
      expect(complaints).toEqual([])
      expect(new Set(asked).size).toBe(1)
    })

    test('can be walked through by keyboard alone', async () => {
      const { page } = await show(documentsOf({ peers: 120, reaches: new Map([[2, 'unreachable']]) }))
      await title(page, '1 peer of 120')
      const focused = (): Promise<unknown> =>
        page.evaluate(
          "document.activeElement.getAttribute('aria-roledescription') ?? document.activeElement.textContent",
        )
      const seen: unknown[] = []
      const until = async (what: string): Promise<void> => {
        for (let step = 0; step < 30; step++) {
          await page.keyboard.press('Tab')
          seen.push(await focused())
          if (seen.at(-1) === what) return
        }
        throw new Error(`no way to ${what}, only to ${seen.join(', ')}`)
      }
      await until('Skip to what is wrong')
      await until('matrix of reachability')
      await page.keyboard.press('ArrowRight')
      await page.keyboard.press('ArrowRight')
      await page.locator('#reach .readout', { hasText: 'rack1-host3, ' }).waitFor()
      await page.keyboard.press('Enter')
      await page.getByText('flanneld doctor --peer').last().waitFor()
      expect(await focused()).toBe('rack1-host3')
      await page.keyboard.press('Enter')
      expect(await page.locator('#nodes tr.details').count()).toBe(0)
      const sort = page.getByRole('button', { name: 'Round trip' })
      await sort.focus()
      await page.keyboard.press('Enter')
      await page.keyboard.press('Enter')
      expect(await page.getByRole('columnheader', { name: 'Round trip' }).getAttribute('aria-sort')).toBe('descending')
      await page.getByRole('searchbox', { name: 'Only nodes with' }).fill('host3 not reached')
      await page.getByText('1 of 120 nodes').waitFor()
    })

    test('has nothing to complain of for those who check whether everybody can use it', async () => {
      const { page } = await show(documentsOf({ peers: 60, reaches: new Map([[2, 'unreachable']]) }))
      await title(page, '1 peer of 60')
      await page.locator('#nodes .opener').first().click()
      await page.evaluate(axe.source)
      const { violations } = await page.evaluate<AxeResults>('axe.run()')
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
      expect(found).toEqual([])
    })

    test('takes names of others for text, whatever they are', async () => {
      const reason = HOSTILE.join(' ')
      const { page, complaints } = await show(
        documentsOf({
          peers: HOSTILE.length,
          name: (at) => HOSTILE[at] ?? '',
          reaches: new Map([[0, 'unreachable']]),
          conditions: [{ what: HOSTILE[1] ?? '', reason, effect: 'degraded', since: '', forSeconds: 1, fault: null }],
          rejected: [
            {
              key: HOSTILE[0] ?? '',
              subnet: '10.9.8.0/21',
              publicIp: null,
              name: HOSTILE[1] ?? '',
              reason,
              code: 'malformed',
            },
          ],
          pending: [
            { family: 4, table: 'route', row: HOSTILE[2] ?? '', peer: HOSTILE[0] ?? '', why: reason, until: null },
          ],
          events: [{ id: 1, at: '', level: 'warn', kind: null, text: reason, fields: { name: HOSTILE[2] ?? '' } }],
        }),
      )
      await title(page, '1 peer of 4')
      await page.locator('#events-list li').waitFor()
      expect(await page.locator('main img, main svg, main script').count()).toBe(0)
      expect(await page.evaluate('window.taken')).toBeUndefined()
      expect(await page.locator('#nodes .opener').allTextContents()).toContain(HOSTILE[1])
      expect(complaints).toEqual([])
    })

    test('runs no script that it was not served with', async () => {
      const { page, complaints } = await show(documentsOf({ peers: 1 }))
      await title(page, 'All is well')
      const attempts = [
        "const a = document.createElement('script'); a.append('window.taken = 1'); document.body.append(a)",
        'document.body.innerHTML = \'<img src=x onerror="window.taken=1">\'',
        "location.href = 'javascript:window.taken=1'",
        "document.body.setAttribute('onclick', 'window.taken = 1'); document.body.click()",
      ]
      for (const attempt of attempts) await page.evaluate(`try { ${attempt} } catch {}`)
      await expect.poll(() => complaints.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(attempts.length)
      expect(await page.evaluate('window.taken')).toBeUndefined()
    })

    test('hears what happens, also after the agent has hung up, and says when it is gone', async () => {
      const { page } = await show(documentsOf({ peers: 3 }))
      await title(page, 'All is well')
      const happens = async (id: number, text: string): Promise<void> => {
        server?.tell({ id, at: new Date().toISOString(), level: 'info', kind: null, text, fields: {} })
        await page.locator('#events-list li', { hasText: text }).waitFor()
      }
      await happens(1, 'something has happened')
      server?.hangUp()
      await happens(2, 'something else has happened')
      expect(await page.locator('#events-list li').count()).toBe(2)
      await server?.close()
      await title(page, 'The agent does not answer')
      await page.getByText('What you see below is as of').waitFor()
    })
  },
)

/** Where the browser, which is in none of them, reaches the hosts. */
const SERVED = ['--healthz-ip=0.0.0.0', '--healthz-page']
const PAGE_PORT = 8082

describe.skipIf(noBrowser !== undefined)('the page of agents in a laboratory', () => {
  const lab = useLab({ hosts: 3 }, async (made) => {
    await made.putConfig(CONFIG)
    for (const { agent } of made.hosts) agent.start(SERVED)
    await Promise.all(made.hosts.map((host) => host.ready()))
  })
  let opened: Opened | undefined
  afterEach(() => opened?.page.context().close())

  test('shows in a browser that a peer is cut off, and that it is back', async () => {
    const [host, other] = [lab().host(0), lab().host(1)]
    opened = await open(`http://${host.address}:${HEALTH.port}/`)
    const { page, complaints } = opened
    await page.getByText('2 of 2 peers reached').waitFor({ timeout: 60_000 })
    await other.faults.drop(100)
    await title(page, '1 peer of 2 has a broken path', 60_000)
    const row = page.locator('#nodes tr', { hasText: other.name })
    await row.getByText('not reached').waitFor()
    await page.locator('#events-list li', { hasText: other.name }).first().waitFor()
    await other.faults.drop(0)
    await title(page, 'All is well', 60_000)
    await row.locator('.mark.good').waitFor()
    expect(complaints).toEqual([])
  })

  test('is served beside the agent to whoever has the key, and shows who reaches whom', async () => {
    const host = lab().host(0)
    const others = [1, 2].map((at) => `${lab().host(at).address}:${HEALTH.port}`)
    const out = '/run/page'
    const flags = ['page', '--listen=0.0.0.0', `--port=${PAGE_PORT}`, `--nodes=${others.join()}`]
    const served = host.startScript(`exec ${AGENT.join(' ')} ${flags.join(' ')} > ${out}`)
    const key = await waitFor(
      'the address of the page',
      async () => /#key=(\S+)/.exec((await host.place.attempt('cat', [out])).stdout)?.[1],
    )
    const url = `http://${host.address}:${PAGE_PORT}/`
    opened = await open(url)
    await opened.page.getByText('open the address that flanneld page has printed').waitFor()
    await opened.page.context().close()
    opened = await open(`${url}#key=${key}`)
    const { page, complaints } = opened
    await page.getByText('6 paths: 6 reached').waitFor({ timeout: 60_000 })
    await page.getByRole('link', { name: others[1] ?? '' }).click()
    await page.getByText(lab().host(2).name).first().waitFor()
    expect(complaints).toEqual([])
    await served.end()
  })
})
