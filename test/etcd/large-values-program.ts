import { openStore } from './etcd-harness.ts'

/** Lists as the daemon does and says what it took: bundled and run by large-values.test.ts with the endpoint as argument. */
async function main([endpoint = '']: readonly string[]): Promise<void> {
  const { signal } = new AbortController()
  const store = openStore({ endpoints: [endpoint] })
  const { records } = await store.list(signal)
  const residentMb = process.resourceUsage().maxRSS / 1_024
  process.stdout.write(JSON.stringify({ listed: records.length, residentMb }))
  store.close()
}

void main(process.argv.slice(2))
