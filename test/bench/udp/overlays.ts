import { fileURLToPath } from 'node:url'
import type { Lab, LabHost } from '../../lab/index.ts'
import { addContainer, makeVxlan, type End, type Pair, type VxlanEnd } from '../hand-made.ts'
import { LineProgram } from '../line-program.ts'
import { processorMs } from '../processor.ts'

const FORWARDER = fileURLToPath(new URL('forwarder.ts', import.meta.url))
/** Octets that IPv4 and UDP put before each packet. */
const UDP_OVERHEAD = 28
/** The same of VXLAN, with its own header and that of the frame (RFC 7348, 5). */
const VXLAN_OVERHEAD = 50
const UNDERLAY_MTU = 1500

export const OVERLAYS = ['ours', 'plain', 'vxlan'] as const
export type Overlay = (typeof OVERLAYS)[number]

const network = (overlay: Overlay): string => `10.${240 + OVERLAYS.indexOf(overlay)}`
const port = (overlay: Overlay): number => 8285 + OVERLAYS.indexOf(overlay)

function endOf(host: LabHost, at: number, overlay: Overlay): VxlanEnd {
  const mtu = UNDERLAY_MTU - (overlay === 'vxlan' ? VXLAN_OVERHEAD : UDP_OVERHEAD)
  const base = `${network(overlay)}.${at + 1}`
  return { host, base, device: `b-${overlay}`, mtu, vni: 201, mac: `02:00:00:00:ca:0${at + 1}` }
}

/** The peer in the middle of a list, the others of which are nobody's. */
function linesOf(peer: End, peers: number): readonly string[] {
  const strangers = Array.from({ length: peers - 1 }, (_, at) => `10.${100 + (at >> 8)}.${at & 255}.0 24 192.0.2.1`)
  const half = strangers.length >> 1
  return [...strangers.slice(0, half), `${peer.base}.0 24 ${peer.host.address}`, ...strangers.slice(half), '.']
}

/** Programs that forward on one host, for one overlay; another number of peers is another program. */
export class Forwarding {
  readonly #ends: readonly [End, End]
  readonly #overlay: Overlay
  readonly #plain: string
  #programs: readonly LineProgram[] = []

  constructor(ends: readonly [End, End], overlay: Overlay, plain: string) {
    this.#ends = ends
    this.#overlay = overlay
    this.#plain = plain
  }

  /** Of both ends' programs until now, in milliseconds; 0 of a kernel's overlay. */
  processorMs(): number {
    return this.#programs.reduce((sum, { pid }) => sum + processorMs(pid), 0)
  }

  async start(peers: number): Promise<void> {
    await this.stop()
    const [first, second] = this.#ends
    this.#programs = [await this.#startOn(first, second, peers), await this.#startOn(second, first, peers)]
  }

  async stop(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.close()))
    this.#programs = []
  }

  async #startOn({ host, base, device, mtu }: End, peer: End, peers: number): Promise<LineProgram> {
    const told = [device, host.address, String(port(this.#overlay)), String(mtu)]
    const [command, args] =
      this.#overlay === 'plain'
        ? [this.#plain, told]
        : [process.execPath, ['--import', import.meta.resolve('tsx'), FORWARDER, ...told, `${base}.0`]]
    const program = await LineProgram.start(host.place.line(command, args), linesOf(peer, peers))
    await host.place.ipBatch([
      `address add ${base}.0/32 dev ${device}`,
      `link set ${device} mtu ${mtu} up`,
      `route add ${network(this.#overlay)}.0.0/16 dev ${device}`,
    ])
    return program
  }
}

export interface Overlays {
  readonly pairs: Readonly<Record<Overlay, Pair>>
  readonly forwarding: Readonly<Partial<Record<Overlay, Forwarding>>>
}

/**
 * All three side by side on the same hosts; those of udp forward nothing yet. The underlay's devices make checksums, and cut what they are
 * handed in one piece, as network cards do; elsewhere in the laboratory they do not, for captures to show packets as they are.
 */
export async function makeOverlays(lab: Lab, plain: string): Promise<Overlays> {
  for (const { place } of [lab.host(0), lab.host(1)]) await place.exec('ethtool', ['-K', 'eth0', 'tx', 'on'])
  const forwarding: Partial<Record<Overlay, Forwarding>> = {}
  const make = async (overlay: Overlay): Promise<Pair> => {
    const ends = [endOf(lab.host(0), 0, overlay), endOf(lab.host(1), 1, overlay)] as const
    if (overlay !== 'vxlan') forwarding[overlay] = new Forwarding(ends, overlay, plain)
    else for (const [at, end] of ends.entries()) await makeVxlan(end, ends[at === 0 ? 1 : 0])
    return { client: await addContainer(ends[0]), server: await addContainer(ends[1]) }
  }
  const pairs = { ours: await make('ours'), plain: await make('plain'), vxlan: await make('vxlan') }
  return { pairs, forwarding }
}
