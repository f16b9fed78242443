import type { StoreAccess, StoreFacts } from '../../src/doctor/store-facts.ts'
import type { OverlayHere, ToolOutput, View } from '../../src/doctor/view.ts'
import type { ForeignVerdicts } from '../../src/kernel/foreign-rules.ts'
import type { NeighbourTable } from '../../src/kernel/neighbour-table.ts'
import { ip } from '../../src/net/ip.ts'
import { prefix } from '../../src/net/prefix.ts'
import type { ConditionStatus, FaultStatus, StatusDocument } from '../../src/status/document.ts'
import { FakeKernel } from './fake-kernel.ts'
import { SAMPLE_AT, secondsBefore } from './status-samples.ts'

export const ACCESS: StoreAccess = {
  ...{ endpoints: ['http://10.0.0.1:2379'], prefix: '/coreos.com/network', user: undefined },
  ...{ caFile: undefined, certFile: undefined, keyFile: undefined, from: 'defaults', isDefault: false },
}

/** An etcd with which all is well. */
export const FACTS: StoreFacts = {
  ...{
    refused: undefined,
    reading: undefined,
    writing: [],
    configuration: '{"Network":"10.0.0.0/8"}',
    invalid: undefined,
  },
  ...{
    elsewhere: [],
    elsewhereV2: [],
    leases: { held: 3, room: 3_856 },
    own: ['10.15.0.0-20'],
    keys: ['10.15.0.0-20'],
  },
  ...{ certificates: { problem: undefined, seen: [] }, clock: undefined },
}

export const fault = (fields: Partial<FaultStatus> = {}): FaultStatus => ({
  ...{ error: 'StoreError', code: null, root: null, op: 'list', url: null, target: null, says: 'is so', parts: [] },
  ...fields,
})

export const condition = (what: string, fields: Partial<ConditionStatus> = {}): ConditionStatus => ({
  ...{ what, effect: 'degraded', reason: 'is not well', since: secondsBefore(61), forSeconds: 61, fault: null },
  ...fields,
})

export const OVERLAY: OverlayHere = {
  ...{ family: 4, network: prefix('10.0.0.0/8'), subnet: prefix('10.15.0.0/20') },
  underlay: { interface: 'eth0', index: 2, address: ip('192.168.9.9'), publicIp: ip('192.168.9.9') },
  device: { name: 'flannel.1', index: 7, address: ip('10.15.0.0'), mtu: 1450, vni: 1, port: 8472 },
}

/** What a host shows; the rest of it is well. */
export interface Shown {
  readonly agent?: StatusDocument
  readonly access?: StoreAccess | string
  readonly facts?: Partial<StoreFacts>
  readonly overlay?: readonly OverlayHere[]
  /** Files, by their path. */
  readonly files?: Readonly<Record<string, string>>
  /** What programs print, by their command line; others are not installed. */
  readonly tools?: Readonly<Record<string, string | ToolOutput>>
  /** Text: why they cannot be read. */
  readonly verdicts?: ForeignVerdicts | string
  readonly kernel?: FakeKernel
  /** Of neighbours, as the looks at them show them, one after the other; the last one from then on. */
  readonly neighbourTables?: readonly (readonly NeighbourTable[])[]
  readonly claim?: number
  readonly isAgentSilent?: boolean
}

/** @returns the view, and how often etcd was asked */
export function fakeView(shown: Shown): { readonly view: View; readonly asked: () => number } {
  const { files = {}, tools = {}, kernel = new FakeKernel() } = shown
  const looks = [...(shown.neighbourTables ?? [])]
  let asked = 0
  const output = (said: string | ToolOutput): ToolOutput =>
    typeof said === 'string' ? { code: 0, stdout: said, stderr: '' } : said
  const show: View['host']['show'] = (program, ...args) => {
    const said = tools[[program, ...args].join(' ')] ?? tools[program]
    return Promise.resolve(said === undefined ? undefined : output(said))
  }
  const view: View = {
    nowMs: Date.parse(SAMPLE_AT),
    about: undefined,
    agent: () => Promise.resolve(shown.agent),
    isAgentSilent: () => Promise.resolve(shown.isAgentSilent ?? false),
    overlay: () => Promise.resolve(shown.overlay ?? [OVERLAY]),
    peers: () => Promise.resolve([]),
    suspects: () => Promise.resolve([]),
    undecided: () => Promise.resolve(0),
    sights: () => Promise.resolve(new Map()),
    reaches: () => Promise.resolve(shown.agent?.peers.byReach),
    host: {
      kernel,
      text: (path) => Promise.resolve(files[path]),
      names: (folder) =>
        Promise.resolve([
          ...new Set(
            Object.keys(files).flatMap((path) =>
              path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1).split('/')[0] ?? ''] : [],
            ),
          ),
        ]),
      show,
      showNow: show,
      holderOf: () => Promise.resolve(undefined),
      checksumErrors: () => Promise.resolve(0),
      dropCounts: () => Promise.resolve(new Map()),
      neighbourTables: () => Promise.resolve(looks.length > 1 ? (looks.shift() ?? []) : (looks[0] ?? [])),
      verdicts: () => {
        const { verdicts = { drops: [], masquerades: [] } } = shown
        return typeof verdicts === 'string' ? Promise.reject(new Error(verdicts)) : Promise.resolve(verdicts)
      },
    },
    probes: {
      echo: () => Promise.resolve({ is: 'silence' }),
      knock: () => Promise.resolve({ is: 'silence' }),
      watch: async (_, __, during) => {
        await during()
        return []
      },
      holders: () => Promise.resolve(undefined),
    },
    store: {
      access: shown.access ?? ACCESS,
      ask: () => {
        asked++
        return Promise.resolve({ ...FACTS, ...shown.facts })
      },
    },
    claim: shown.claim,
  }
  return { view, asked: () => asked }
}
