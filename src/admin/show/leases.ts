import { duration } from '../../present/age.ts'
import { table, WIDEST_SENTENCE, type Cell, type Column, type Looks } from '../../present/table.ts'
import { printable } from '../../text/printable.ts'
import type { FreeSubnets } from '../../lease/free-subnets.ts'
import type { LeaseRow, LeasesView } from '../leases.ts'
import type { NodeRow } from '../nodes.ts'

/** A Node that no agent has published yet, or that has no subnet. */
export interface BareNode {
  readonly name: string
  readonly why: string
}

/** `flanneld leases` of a cluster of Kubernetes, for people. @param bare Nodes that are no peers yet @param where the API server, in words */
export function showNodes(nodes: readonly NodeRow[], bare: readonly BareNode[], where: string, looks: Looks): string {
  const { paint } = looks
  const amiss = nodes.filter(({ problems }) => problems.length > 0)
  return [
    `${apart(String(nodes.length))} ${nodes.length === 1 ? 'Node' : 'Nodes'} of the overlay, in ${printable(where)}\n`,
    nodes.length === 0 ? '' : `\n${table(OF_NODES, nodes, looks)}`,
    amiss.length === 0
      ? ''
      : `\n${paint('bold', 'What is wrong with them')}\n${table(PROBLEMS_OF_NODES, amiss, looks)}`,
    bare.length === 0 ? '' : `\n${paint('bold', 'Nodes that are not of the overlay yet')}\n`,
    ...bare.map(({ name, why }) => `  ${printable(name)}: ${why}\n`),
  ].join('')
}

/** `flanneld leases`, for people. @param where etcd and prefix, in words */
export function showLeases({ leases, free, revision }: LeasesView, where: string, looks: Looks): string {
  const { paint } = looks
  const reservations = leases.filter(({ isReservation }) => isReservation).length
  const amiss = leases.filter(({ problems }) => problems.length > 0)
  const total = `${apart(String(leases.length))} ${leases.length === 1 ? 'lease' : 'leases'}${reservations === 0 ? '' : `, ${apart(String(reservations))} of them reserved`}`
  return [
    `${total}, in ${printable(where)} at revision ${revision}\n`,
    ...(free ?? []).map((one) => `${freeLine(one)}\n`),
    leases.length === 0 ? '' : `\n${table(COLUMNS, leases, looks)}`,
    amiss.length === 0 ? '' : `\n${paint('bold', 'What is wrong with them')}\n${table(PROBLEMS, amiss, looks)}`,
  ].join('')
}

const freeLine = ({ network, subnetLength, first, last, total, free }: FreeSubnets): string =>
  `${apart(free)} of ${apart(total)} subnets of /${subnetLength} in ${network} are free, from ${first} to ${last}`

/** Thousands apart, of a number that may be larger than one can count. */
const apart = (digits: string): string => digits.replace(/\B(?=(\d{3})+(?!\d))/g, '\u00a0')

const plain = (text: string | null): string => (text === null ? '–' : printable(text))

const endsIn = ({ secondsLeft, isReservation }: LeaseRow): Cell => {
  if (isReservation) return 'never'
  if (secondsLeft === null) return '–'
  const text = duration(secondsLeft * 1_000)
  return { text, hue: secondsLeft < SOON_SECONDS ? 'warn' : undefined }
}

/** An agent that lives renews long before. */
const SOON_SECONDS = 3_600

const SUBNET: Column<Pick<LeaseRow | NodeRow, 'subnets' | 'key' | 'problems'>> = {
  title: 'SUBNET',
  cell: ({ subnets, key, problems }) => ({
    text: subnets.length === 0 ? plain(key) : subnets.join(' '),
    hue: problems.length > 0 ? 'bad' : undefined,
  }),
  least: 18,
}

const COLUMNS: readonly Column<LeaseRow>[] = [
  SUBNET,
  {
    title: 'HOLDER',
    cell: ({ hostname, nodeId, isOurs }) => ({
      text: `${plain(hostname ?? nodeId)}${isOurs ? ' (this host)' : ''}`,
      hue: isOurs ? 'good' : undefined,
    }),
    least: 12,
  },
  { title: 'PUBLIC IP', cell: ({ publicIps }) => (publicIps.length === 0 ? '–' : publicIps.join(' ')), least: 15 },
  { title: 'BACKEND', cell: ({ backend }) => plain(backend), spare: 2 },
  { title: 'ENDS IN', cell: endsIn, isRight: true },
  {
    title: 'RENEWED',
    cell: ({ renewedSecondsAgo: ago }) => (ago === null ? '–' : `${duration(ago * 1_000)} ago`),
    isRight: true,
    spare: 3,
  },
  { title: 'SINCE REVISION', cell: ({ createRevision }) => createRevision, isRight: true, spare: 4 },
  { title: 'NODE ID', cell: ({ nodeId }) => plain(nodeId), least: 8, spare: 5 },
]

const PROBLEMS: readonly Column<LeaseRow>[] = [
  { title: 'LEASE', cell: ({ key }) => ({ text: printable(key), hue: 'bad' }), least: 18 },
  { title: 'WHY', cell: ({ problems }) => printable(problems.join('; ')), least: 20, most: WIDEST_SENTENCE },
]

/** Nothing of theirs ends, and revisions are times. */
const OF_NODES: readonly Column<NodeRow>[] = [
  SUBNET,
  {
    title: 'NODE',
    cell: ({ name, isOurs }) => ({
      text: `${plain(name)}${isOurs ? ' (this host)' : ''}`,
      hue: isOurs ? 'good' : undefined,
    }),
    least: 12,
  },
  { title: 'PUBLIC IP', cell: ({ publicIps }) => (publicIps.length === 0 ? '–' : publicIps.join(' ')), least: 15 },
  { title: 'BACKEND', cell: ({ backend }) => plain(backend), spare: 2 },
]

const PROBLEMS_OF_NODES: readonly Column<NodeRow>[] = [
  { title: 'NODE', cell: ({ name }) => ({ text: printable(name), hue: 'bad' }), least: 12 },
  { title: 'WHY', cell: ({ problems }) => printable(problems.join('; ')), least: 20, most: WIDEST_SENTENCE },
]
