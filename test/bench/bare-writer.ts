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
  readonly #awaited: { readonly resolve: (written: Written) => void; readonly reject: (error: Error) => void }[] = []
  #hasEnded = false

  private constructor(program: LineProgram) {
    this.#program = program
    program.hear((line) => {
      this.#awaited.shift()?.resolve(writtenOf(line))
    })
    void program.ended.then(() => {
      this.#hasEnded = true
      for (const { reject } of this.#awaited.splice(0)) reject(new Error('the program that writes has ended'))
    })
  }

  /** @param program path of `put.c`, compiled */
  static async start({ etcd }: Lab, program: string): Promise<BareWriter> {
    const { hostname, port } = new URL(etcd.member.endpoint)
    return new BareWriter(await LineProgram.start([program, hostname, port, `${ETCD_PREFIX}/subnets/`]))
  }

  put(peer: BenchPeer): Promise<Written> {
    if (this.#hasEnded) return Promise.reject(new Error('the program that writes has ended'))
    return new Promise((resolve, reject) => {
      this.#awaited.push({ resolve, reject })
      this.#program.say(`${ETCD_PREFIX}/subnets/${leaseKey(peer)}\t${leaseValue(peer)}`)
    })
  }

  close(): Promise<void> {
    return this.#program.close()
  }
}
