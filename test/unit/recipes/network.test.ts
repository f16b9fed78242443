import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { deviceName } from '../../../src/kernel/marks.ts'

const ROOT = join(import.meta.dirname, '../../..')
const textOf = (name: string): string => readFileSync(join(ROOT, 'packaging/network', name), 'utf8')

/** The patterns of names in a file: what stands after the key, without the word that NetworkManager puts before each. */
const patternsIn = (name: string, key: string): readonly string[] => {
  const [, list = ''] = new RegExp(`^${key}=(.*)$`, 'm').exec(textOf(name)) ?? []
  return list.split(/[\s,]+/).map((pattern) => pattern.replace('interface-name:', ''))
}

const VNIS = [1, 100, 9_999, 10_000, 16_777_215]
const DEVICES = new Set(([4, 6] as const).flatMap((family) => VNIS.map((vni) => deviceName(family, vni))))

describe.each([
  ['00-flannel-agent.network', 'Name'],
  ['00-flannel-agent.link', 'OriginalName'],
  ['NetworkManager/flannel-agent.conf', 'match-device'],
])('packaging/network/%s', (name, key) => {
  const fits = (device: string): boolean =>
    patternsIn(name, key).some((pattern) => pattern.endsWith('.*') && device.startsWith(pattern.replace('*', '')))

  it.each([...DEVICES])('is about %s', (device) => {
    expect(fits(device)).toBe(true)
  })

  it.each(['eth0', 'docker0', 'cni0', 'veth1', 'vxlan.calico', 'flan'])('is not about %s', (device) => {
    expect(fits(device)).toBe(false)
  })

  it('is in the guide', () => {
    expect(readFileSync(join(ROOT, 'docs/network-managers.md'), 'utf8')).toContain(`| \`${name}\` |`)
  })
})
