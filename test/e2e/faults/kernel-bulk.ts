import { expect } from 'vitest'
import { DEVICE } from '../../lab/use-lab.ts'
import { fakePeer, leaseName, putPeer } from '../../lab/fake-peers.ts'
import { FLUSH_ALL } from './kernel-entries.ts'
import { withoutPeer } from './state.ts'
import type { Fault, Scene } from './table.ts'

/** Nodes that exist in etcd only, besides the hosts. */
export const BULK_PEERS = 1_000

/** More than any buffer holds. */
const BURST = 40_000

const GONE = fakePeer(500)

/** Every change is heard by who listens for neighbours: the fdb speaks to that group. What changes nothing is not reported. */
const floodFdb = ({ host }: Scene): Promise<string> => {
  const commands = Array.from({ length: BURST }, (_, at) => {
    const { mac } = fakePeer(at % BULK_PEERS)
    return `fdb replace ${mac} dev ${DEVICE} dst 192.168.205.${98 + (Math.floor(at / BULK_PEERS) % 2)}`
  })
  return host.place.exec('bridge', ['-batch', '-'], { input: `${commands.join('\n')}\n` })
}

/** As many containers make when they come and go, and longer messages. */
const floodLinks = async ({ host }: Scene): Promise<void> => {
  const commands = Array.from({ length: BURST / 2 }, (_, at) => `link set docker0 alias burst${at}`)
  await host.place.ipBatch(commands)
}

const flush = ({ host }: Scene): Promise<string> => host.place.exec('sh', ['-ec', FLUSH_ALL])

const saysOnceThatNotificationsWereLost = async ({ host: { agent } }: Scene): Promise<void> => {
  const lines = (await agent.logOfRun()).split('\n').filter((line) => /notifications/i.test(line))
  expect(lines, 'lines about lost notifications').toHaveLength(1)
}

/** What shows only with many peers, or with peers that are no hosts. */
export const BULK_FAULTS: readonly Fault[] = [
  {
    fault: 'all three tables of 1 000 peers flushed',
    users: 'no peer is reached',
    moments: ['while containers ping each other', 'while the agent is frozen', 'while the agent is down'],
    inflict: flush,
  },
  {
    fault: 'a peer lease removed',
    users: 'nothing: that node is gone',
    moments: [
      'while containers ping each other',
      'while the agent is down',
      'while the agent is frozen',
      'during start-up',
    ],
    inflict: ({ lab }) => lab.deleteLease(leaseName(GONE)),
    expected: (before) => withoutPeer(before, GONE),
    outcome: 'exactly its three entries gone',
    undo: ({ lab }) => putPeer(lab, GONE),
  },
  {
    fault: 'notifications lost in a burst of fdb changes',
    users: 'packets to every peer go to another machine',
    moments: ['while the agent is frozen'],
    inflict: async (scene) => {
      await floodFdb(scene)
      await flush(scene)
    },
    check: saysOnceThatNotificationsWereLost,
    outcome: 'restored, with one line in the log',
  },
  {
    fault: 'notifications lost in a burst of link changes',
    users: 'no peer is reached',
    moments: ['while the agent is frozen'],
    inflict: async (scene) => {
      await floodLinks(scene)
      await flush(scene)
    },
    check: saysOnceThatNotificationsWereLost,
    outcome: 'restored, with one line in the log',
  },
]
