/** Asks everything there is to ask; run in a network namespace of its own in which nothing was ever configured. */
import { ip } from '../../src/net/ip.ts'
import { RtnetlinkKernel } from '../../src/netlink/rtnetlink-kernel.ts'

const kernel = new RtnetlinkKernel()
const { signal } = new AbortController()
const tables = await kernel.snapshot(1, [4, 6], signal)
const answers = {
  links: (await kernel.links(signal)).map(({ name }) => name),
  addresses: (await kernel.addresses(signal)).length,
  routes: [(await kernel.routes(4, signal)).length, (await kernel.routes(6, signal)).length],
  lookup: [await kernel.lookup(ip('192.0.2.1'), signal), await kernel.lookup(ip('2001:db8::1'), signal)].map(
    (found) => found ?? null,
  ),
  tables: [tables.neighbours.length, tables.fdb.length, tables.routes.length],
}
kernel.close()
process.stdout.write(JSON.stringify(answers))
