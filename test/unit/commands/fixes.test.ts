import { describe, expect, it } from 'vitest'
import { applyFixes } from '../../../src/commands/examine/fixes.ts'
import type { Finding } from '../../../src/doctor/finding.ts'
import type { RunTool } from '../../../src/firewall/command.ts'
import { finding } from '../doctor/samples.ts'

const { signal } = new AbortController()
const FIXES: readonly Finding[] = [
  finding({ summary: 'does not forward', fix: [['sysctl', '-w', 'net.ipv4.ip_forward=1'], ['true']] }),
  finding({ summary: 'peer is off' }),
  finding({ summary: 'no module', fix: [['modprobe', 'vxlan']] }),
]

async function fixed(
  findings: readonly Finding[],
  options: { isSure?: boolean; agrees?: boolean; fails?: string } = {},
) {
  const said: string[] = []
  const ran: string[] = []
  const run: RunTool = (tool, args) => {
    ran.push([tool, ...args].join(' '))
    return tool === options.fails ? Promise.reject(new Error('refused')) : Promise.resolve('')
  }
  const hasRun = await applyFixes(findings, {
    ...{ signal, run, isSure: options.isSure ?? false },
    say: (text) => said.push(text),
    agree: (question) => {
      said.push(question)
      return Promise.resolve(options.agrees ?? false)
    },
  })
  return { hasRun, said, ran }
}

describe('--fix', () => {
  it('says each command, and runs it when it is agreed to', async () => {
    const { hasRun, said, ran } = await fixed(FIXES, { agrees: true })
    expect(hasRun).toBe(true)
    expect(ran).toEqual(['sysctl -w net.ipv4.ip_forward=1', 'true', 'modprobe vxlan'])
    expect(said.slice(0, 3)).toEqual([
      'does not forward',
      'run sysctl -w net.ipv4.ip_forward=1? [y/N] ',
      'running sysctl -w net.ipv4.ip_forward=1',
    ])
  })

  it('asks nobody where it is sure', async () => {
    const { said, ran } = await fixed(FIXES, { isSure: true })
    expect(ran).toHaveLength(3)
    expect(said.join()).not.toContain('[y/N]')
  })

  it('does nothing without an agreement, and says so', async () => {
    expect(await fixed(FIXES)).toMatchObject({ hasRun: false, ran: [] })
    expect((await fixed([FIXES[1] ?? finding()], { isSure: true })).said).toEqual([
      'nothing was done: what cures is to be decided by you',
    ])
  })

  it('has nothing to say where nothing is wrong', async () => {
    expect(await fixed([], { isSure: true })).toEqual({ hasRun: false, said: [], ran: [] })
  })

  it('leaves out what stands behind a command that fails, and goes on with the next finding', async () => {
    const { said, ran } = await fixed(FIXES, { isSure: true, fails: 'sysctl' })
    expect(ran).toEqual(['sysctl -w net.ipv4.ip_forward=1', 'modprobe vxlan'])
    expect(said).toContain('sysctl -w net.ipv4.ip_forward=1: refused')
  })
})
