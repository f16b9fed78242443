import type { Lab } from '../lab/index.ts'
import { ETCD_PREFIX } from '../lab/lab.ts'
import { LineProgram } from './line-program.ts'
import { leaseKey, leaseValue, type BenchPeer } from './peers.ts'

/** When a write was sent and first heard of, on the monotonic clock in nanoseconds. */
export interface Written {
  readonly sentNs: bigint
  /** The first sign that etcd has committed it: its answer, or its watch. */
  readonly committedNs: bigint
  /** When etcd told a bare client that watches the same keys. */
  readonly toldNs: bigint
}

function writtenOf(line: string): Written {
  const [sentNs = 0n, answeredNs = 0n, toldNs = 0n] = line.split(' ').map(BigInt)
  return { sentNs, committedNs: answeredNs < toldNs ? answeredNs : toldNs, toldNs }
}

/** `put.c`: writes leases one after another, each when etcd has answered the one before. */
export class BareWriter {
  readonly #program: LineProgram
  /** Those that are under way, the first one first. */
  readonly #awaited: ((written: Written) => void)[] = []

  private constructor(program: LineProgram) {
    this.#program = program
    program.hear((line) => {
      this.#awaited.shift()?.(writtenOf(line))
    })
  }

  /** @param program path of `put.c`, compiled */
  static async start({ etcd }: Lab, program: string): Promise<BareWriter> {
    const { hostname, port } = new URL(etcd.member.endpoint)
    return new BareWriter(await LineProgram.start([program, hostname, port, `${ETCD_PREFIX}/subnets/`]))
  }

  put(peer: BenchPeer): Promise<Written> {
    return new Promise((resolve) => {
      this.#awaited.push(resolve)
      this.#program.say(`${ETCD_PREFIX}/subnets/${leaseKey(peer)}\t${leaseValue(peer)}`)
    })
  }

  close(): Promise<void> {
    return this.#program.close()
  }
}
