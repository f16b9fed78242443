import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Lab, waitFor } from '../../lab/index.ts'
import { AgentProcess } from '../agent-process.ts'
import { EtcdClient } from '../etcd-client.ts'
import { benchPeers, CONFIG } from '../peers.ts'
import { BUNDLE, nodeInside, ROOT } from '../programs.ts'
import { shortNumber } from '../report.ts'
import { expectExact } from '../tables.ts'
import { summarizeCpu } from './cpu-profile.ts'
import { summarizeHeap } from './heap-snapshot.ts'
import type { ProfileName } from './names.ts'
import { summarizeTurns } from './turns.ts'

const SHOWN = 25
/** Until what is put off at the start is over, in milliseconds. */
const SETTLED_MS = 5_000
const DEADLINE_MS = 120_000
/** In which all that belongs to a start, and what is looked at for the first time after it, has been done, in milliseconds. */
const START_IS_OVER_MS = 40_000

const line = (...texts: readonly string[]): string => texts.join('  ')

function cpuReport(json: string): string {
  const { busyMs, collectorMs, functions, files } = summarizeCpu(json, readFileSync(BUNDLE, 'utf8'))
  const share = (milliseconds: number): string =>
    `${milliseconds.toFixed(1).padStart(8)} ms ${((milliseconds / busyMs) * 100).toFixed(1).padStart(5)} %`
  return [
    `busy for ${busyMs.toFixed(0)} ms, ${shortNumber((collectorMs / busyMs) * 100)} % of it in the garbage collector`,
    '\nby file, without what it calls:',
    ...files.slice(0, SHOWN).map(({ name, milliseconds }) => line(share(milliseconds), name)),
    '\nby function, without what it calls:',
    ...functions.slice(0, SHOWN).map(({ name, milliseconds }) => line(share(milliseconds), name)),
  ].join('\n')
}

function heapReport(json: string, peers: number): string {
  const kinds = summarizeHeap(json)
  const total = kinds.reduce((sum, { bytes }) => sum + bytes, 0)
  return [
    `live heap of ${(total / 1e6).toFixed(1)} MB after a forced collection, ${(total / peers).toFixed(0)} bytes for each of ${peers} peers`,
    '\nby constructor, without what it refers to:',
    ...kinds
      .slice(0, SHOWN)
      .map(({ name, count, bytes }) =>
        line(`${(bytes / 1e3).toFixed(0).padStart(8)} kB`, String(count).padStart(8), name),
      ),
  ].join('\n')
}

function turnsReport(json: string): string {
  const { count, longest } = summarizeTurns(json, readFileSync(BUNDLE, 'utf8'), SHOWN)
  return [
    `${count} turns of the event loop; the longest, by processor time of its thread:`,
    ...longest.map(({ processorMs, atMs, collectorMs, functions }) =>
      line(
        `${processorMs.toFixed(1).padStart(7)} ms`,
        `${atMs.toFixed(0).padStart(6)} ms after the start,`,
        `${collectorMs.toFixed(1)} ms on the clock in the collector:`,
        functions.join(', '),
      ),
    ),
  ].join('\n')
}

/** Runs the bundle on the Node that is inside the executable, with the profiler in it. */
async function profileAgent(lab: Lab, what: ProfileName, peers: number, folder: string): Promise<string> {
  const preload = join(import.meta.dirname, what === 'turns' ? 'turns.cjs' : 'preload.cjs')
  const program = [
    'env',
    `PROFILE_FOLDER=${folder}`,
    nodeInside(),
    '--expose-gc',
    '--require',
    preload,
    BUNDLE,
  ] as const
  const agent = new AgentProcess({ lab, host: lab.host(0), folder }, program)
  const written = async (name: string): Promise<string> => {
    const path = join(folder, name)
    process.kill(agent.pid, 'SIGUSR2')
    await waitFor(name, () => existsSync(path), { deadlineMs: DEADLINE_MS })
    return readFileSync(path, 'utf8')
  }
  try {
    await agent.ready()
    if (what === 'turns') {
      await delay(START_IS_OVER_MS)
      return turnsReport(await written('turns.json'))
    }
    const cpu = await written('start.cpuprofile')
    await expectExact(lab.host(0).place, benchPeers(peers), 'after a start')
    if (what === 'start') return cpuReport(cpu)
    await delay(SETTLED_MS)
    return heapReport(await written('rest.heapsnapshot'), peers)
  } finally {
    await agent.stop('SIGKILL')
  }
}

/** A profile of a real agent with so many peers, for people; the files stay in .cache/profile. */
export async function profile(what: ProfileName, peers: number): Promise<string> {
  const folder = join(ROOT, '.cache/profile')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const lab = await Lab.create({ hosts: 1, health: false })
  const client = new EtcdClient(lab.etcd.member.endpoint)
  try {
    await client.putConfig(CONFIG)
    await client.putPeers(benchPeers(peers))
    return await profileAgent(lab, what, peers, folder)
  } finally {
    client.close()
    await lab.close()
  }
}
