import { EtcdCluster } from '../lab/etcd-process.ts'
import { EtcdClient, messageType } from './etcd-client.ts'
import { figureOf, type Bound, type Figure } from './figure.ts'
import { judge, leasesOf } from './overlay.ts'
import { benchPeers } from './peers.ts'
import type { Context, Row } from './row.ts'
import { readRangeAnswer } from './range-answer.ts'

const NAME = 'decode'
/** Of etcd's answer to who asks for a page of leases. */
const PAGE = 5_000
/** Times reading the same values with JSON.parse alone. */
const MOST_OF_JSON = 4
/** Times reading the same bytes with protobufjs alone. */
const MOST_OF_PROTOBUFJS = 0.5

/** Processor time that this takes, in microseconds; the collector's too, if it runs meanwhile. */
function processorUs(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

/** Two ways in turn, over and over; the first rounds warm up. @returns microseconds a peer */
function inTurn(
  runs: number,
  peers: number,
  ours: () => void,
  theirs: () => void,
): { readonly ours: readonly number[]; readonly theirs: readonly number[] } {
  const taken = { ours: [] as number[], theirs: [] as number[] }
  for (let round = -2; round < runs; round++) {
    const [our, their] = [processorUs(ours) / peers, processorUs(theirs) / peers]
    if (round < 0) continue
    taken.ours.push(our)
    taken.theirs.push(their)
  }
  return taken
}

const told = (what: string, peers: number) => ({ row: NAME, what, peers, unit: 'us a peer' })

const most = (limit: number): { readonly bound: Bound } => ({ bound: { of: 'ratio', most: limit } })

/** Decoding, judging, claims and what changed of it: from records of etcd to entries of the kernel. */
function judging({ options: { runs } }: Context, peers: number): Figure {
  const records = leasesOf(peers)
  const ours = (): void => {
    const accepted = judge(records).filter(({ entries }) => entries !== undefined).length
    if (accepted !== peers) throw new Error(`${accepted} of ${peers} leases are taken`)
  }
  const theirs = (): void => {
    for (const { value } of records) JSON.parse(value)
  }
  const taken = inTurn(runs, peers, ours, theirs)
  const reference = { name: 'JSON.parse of the values', values: taken.theirs }
  return figureOf({
    ...told('lease records to entries, processor time', peers),
    values: taken.ours,
    reference,
    ...most(MOST_OF_JSON),
  })
}

/** What a client of gRPC makes of a message (@grpc/proto-loader, with the options that etcd3 gives it). */
const OBJECTS = { longs: String, enums: String, defaults: true, oneofs: true } as const

/** The bytes of a page, as a real etcd writes them. */
async function pageBytes(): Promise<Buffer> {
  const etcd = await EtcdCluster.start()
  const client = new EtcdClient(etcd.member.endpoint)
  try {
    await client.putPeers(benchPeers(PAGE))
    return await client.answer(PAGE)
  } finally {
    client.close()
    await etcd.close()
  }
}

/** A page to records of leases, beside what protobufjs makes of it. */
async function reading({ options: { runs } }: Context): Promise<readonly Figure[]> {
  const bytes = await pageBytes()
  const type = messageType('RangeResponse')
  const ours = (): void => {
    const { length } = readRangeAnswer(bytes)
    if (length !== PAGE) throw new Error(`${length} of ${PAGE} records`)
  }
  const figure = (name: string, theirs: () => void, bound?: Bound): Figure => {
    const taken = inTurn(runs * 3, PAGE, ours, theirs)
    return figureOf({
      ...told("etcd's answer to records, processor time", PAGE),
      ...{ values: taken.ours, reference: { name, values: taken.theirs }, ...(bound && { bound }) },
    })
  }
  return [
    figure('protobufjs, messages to objects', () => type.toObject(type.decode(bytes), OBJECTS), {
      of: 'ratio',
      most: MOST_OF_PROTOBUFJS,
    }),
    figure('protobufjs, decoding alone', () => type.decode(bytes)),
  ]
}

export const decoding: Row = {
  name: NAME,
  what: 'what etcd says, up to what the kernel is to hold',
  async run(context) {
    const sizes = context.options.sizes.filter((size) => size > 1)
    return [...sizes.map((peers) => judging(context, peers)), ...(await reading(context))]
  },
}
