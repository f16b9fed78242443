import type { ChildProcess } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { exitOf, outputOf } from './command.ts'
import type { Place } from './namespace.ts'
import { waitFor } from './wait-for.ts'

/** One VXLAN packet as tshark decodes it. */
export interface VxlanPacket {
  readonly outerSource: string
  readonly outerDestination: string
  /** Outer UDP destination port. */
  readonly port: number
  readonly vni: number
  readonly innerSource: string
  readonly innerDestination: string
  /** Inner ICMP type (8 echo request, 0 echo reply, RFC 792; over IPv6 128 and 129, RFC 4443); undefined for anything else. */
  readonly icmpType: number | undefined
  readonly sequence: number | undefined
}

const FIELDS = [
  'ip.src',
  'ip.dst',
  'udp.dstport',
  'vxlan.vni',
  'icmp.type',
  'icmp.seq',
  'ipv6.src',
  'ipv6.dst',
  'icmpv6.type',
  'icmpv6.echo.sequence_number',
] as const

const optionalNumber = (text = ''): number | undefined => (text === '' ? undefined : Number(text))

/** tshark prints the outer and inner occurrence of a field with a comma between them. */
function packetFrom(line: string): VxlanPacket {
  const [sources4, destinations4, port = '', vni = '', ...rest] = line.split('\t')
  const [icmpType4, sequence4, sources6, destinations6, icmpType6, sequence6] = rest
  const [outerSource = '', innerSource = ''] = (sources4 || sources6 || '').split(',')
  const [outerDestination = '', innerDestination = ''] = (destinations4 || destinations6 || '').split(',')
  return {
    outerSource,
    outerDestination,
    port: Number(port.split(',')[0]),
    vni: Number(vni),
    innerSource,
    innerDestination,
    icmpType: optionalNumber(icmpType4 || icmpType6),
    sequence: optionalNumber(sequence4 || sequence6),
  }
}

async function decode(file: string, port: number): Promise<readonly VxlanPacket[]> {
  const fields = FIELDS.flatMap((field) => ['-e', field])
  const decoding = ['-d', `udp.port==${port},vxlan`, '-T', 'fields', '-E', 'occurrence=a', ...fields]
  const text = await outputOf(['tshark', '-n', '-r', file, ...decoding], { timeoutMs: 60_000 })
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(packetFrom)
}

/** How long no packet may have come before a capture counts as complete: dumpcap hands them on in blocks, every 250 ms. */
const QUIET_MS = 300

/** Catches the VXLAN packets that pass a device, from the moment `start` resolves. */
export class Capture {
  readonly #dumpcap: ChildProcess
  readonly #file: string
  readonly #port: number

  private constructor(dumpcap: ChildProcess, file: string, port: number) {
    this.#dumpcap = dumpcap
    this.#file = file
    this.#port = port
  }

  /** @param file path for the packets; a `.log` beside it takes dumpcap's own words */
  static async start(place: Place, device: string, port: number, file: string): Promise<Capture> {
    const log = `${file}.log`
    const dumpcap = place.start(log, 'dumpcap', ['-q', '-i', device, '-f', `udp port ${port}`, '-w', file])
    const isOpen = async (): Promise<boolean> => (await readFile(log, 'utf8')).includes('File: ')
    await waitFor(`dumpcap to open ${device}`, isOpen)
    return new Capture(dumpcap, file, port)
  }

  /** Waits until no further packet comes, stops, and decodes what was caught. */
  async stop(): Promise<readonly VxlanPacket[]> {
    let seen = { size: -1, atMs: 0 }
    const isQuiet = async (): Promise<boolean> => {
      const { size } = await stat(this.#file)
      if (size !== seen.size) seen = { size, atMs: performance.now() }
      return performance.now() - seen.atMs > QUIET_MS
    }
    await waitFor('the packets to cease', isQuiet, { deadlineMs: 2000 }).catch(() => undefined)
    const ended = exitOf(this.#dumpcap)
    this.#dumpcap.kill('SIGINT')
    await ended
    return decode(this.#file, this.#port)
  }
}
