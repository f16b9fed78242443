import { describe, expect, it } from 'vitest'
import { normaliseGoFlags } from '../../../src/cli/go-flags.ts'

const FLAGS = [
  { name: 'iface', isBoolean: false },
  { name: 'ip-masq', isBoolean: true },
]

const normalise = (...args: readonly string[]): readonly string[] => normaliseGoFlags(args, FLAGS)

describe('normaliseGoFlags', () => {
  it.each([
    [['-iface', 'eth0'], ['--iface=eth0']],
    [['--iface', 'eth0'], ['--iface=eth0']],
    [['-iface=eth0'], ['--iface=eth0']],
    [['--iface=eth0'], ['--iface=eth0']],
    [['-iface='], ['--iface=']],
    [['-iface=a=b'], ['--iface=a=b']],
    [['-iface', '-v'], ['--iface=-v']],
    [['-iface', '--'], ['--iface=--']],
    [['-iface=a\nb'], ['--iface=a\nb']],
    [['-ip-masq'], ['--ip-masq=true']],
    [['-ip-masq=false'], ['--ip-masq=false']],
    [
      ['-ip-masq', 'false'],
      ['--ip-masq=true', 'false'],
    ],
  ])('reads %j as %j', (args, expected) => {
    expect(normalise(...args)).toEqual(expected)
  })

  it('leaves a flag without its value to be refused', () => {
    expect(normalise('-iface')).toEqual(['--iface'])
  })

  it('leaves what it does not know alone', () => {
    const args = ['-bogus', '--bogus=1', '---iface=x', '-', '', '=', '-=x', 'eth0']
    expect(normalise(...args)).toEqual(args)
  })

  it('touches nothing after --', () => {
    expect(normalise('-ip-masq', '--', '-iface', 'eth0')).toEqual(['--ip-masq=true', '--', '-iface', 'eth0'])
  })
})
