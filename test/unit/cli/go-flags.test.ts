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

  it.each([
    [['-c1'], ['--c=1']],
    [['-c-1'], ['-c-1']],
    [['-c', '1'], ['--c=1']],
    [['-c', '-c1'], ['--c=-c1']],
    [['-c=1'], ['--c=1']],
    [['-o/tmp/a=b'], ['--o=/tmp/a=b']],
    [['-cx'], ['-cx']],
    [['--c1'], ['--c1']],
    [['-f1'], ['-f1']],
    [['-v2'], ['-v2']],
    [
      ['--', '-c1'],
      ['--', '-c1'],
    ],
  ])('reads %j as %j where letters may have their value at once', (args, expected) => {
    const letter = { isBoolean: false, isLetter: true }
    const flags = [
      { ...letter, name: 'c' },
      { ...letter, name: 'o' },
      { ...letter, name: 'f', isBoolean: true },
      { name: 'v', isBoolean: false },
    ]
    expect(normaliseGoFlags(args, flags)).toEqual(expected)
  })

  it('touches nothing after --', () => {
    expect(normalise('-ip-masq', '--', '-iface', 'eth0')).toEqual(['--ip-masq=true', '--', '-iface', 'eth0'])
  })
})
