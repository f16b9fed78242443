import { once } from 'node:events'

import { openStore } from './etcd-harness.ts'

const residentMb = (): number => process.resourceUsage().maxRSS / 1_024
const say = (what: object): void => {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}

/**
 * Lists, and when it is told to, watches from there on until so many changes have come; says each time what it took. Bundled, and run by
 * large-values.test.ts.
 */
async function main([endpoint = '', changes = '']: readonly string[]): Promise<void> {
  const { signal } = new AbortController()
  const store = openStore({ endpoints: [endpoint] })
  const list = await store.list(signal)
  say({ listed: list.records.length, residentMb: residentMb() })
  await once(process.stdin, 'data')
  process.stdin.destroy()
  let seen = 0
  for await (const event of store.watch(list, signal)) {
    if (event.kind !== 'deltas') throw new Error(event.kind)
    seen += event.deltas.length
    if (seen >= Number(changes)) break
  }
  say({ seen, residentMb: residentMb() })
  store.close()
}

void main(process.argv.slice(2))
