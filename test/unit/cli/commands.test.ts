import { describe, expect, it } from 'vitest'
import { chooseCommand, SUBCOMMANDS } from '../../../src/cli/commands.ts'
import { ConfigError } from '../../../src/config/error.ts'

const DAEMON = '/usr/bin/flanneld.cjs'

describe('chooseCommand', () => {
  it.each([[[]], [['-iface', 'docker-opts']], [['--', 'docker-opts']], [['']], [['-']]])(
    'runs the daemon with %j',
    (args) => {
      expect(chooseCommand(DAEMON, args)).toEqual({ command: 'daemon', args })
    },
  )

  it.each(SUBCOMMANDS.map(({ name }) => name))('runs %s by its name, with what comes after', (name) => {
    expect(chooseCommand(DAEMON, [name, '-f', 'daemon'])).toEqual({ command: name, args: ['-f', 'daemon'] })
  })

  it.each([
    [['version'], { command: 'daemon', args: ['--version'] }],
    [['version', '-v=1'], { command: 'daemon', args: ['--version', '-v=1'] }],
    [['help'], { command: 'daemon', args: ['--help'] }],
    [['help', '--version'], { command: 'daemon', args: ['--help', '--version'] }],
    [['help', 'cleanup'], { command: 'cleanup', args: ['--help'] }],
    [['help', 'cni'], { command: 'cni', args: ['--help'] }],
    [['help', 'docker-opts'], { command: 'docker-opts', args: ['--help'] }],
  ])('takes %j for the question that it is', (args, expected) => {
    expect(chooseCommand(DAEMON, args)).toEqual(expected)
  })

  it('asks whether a command is meant that is nearly the word, and how a flag is written', () => {
    expect(() => chooseCommand(DAEMON, ['clean-up'])).toThrow('; did you mean cleanup?), found "clean-up"')
    expect(() => chooseCommand(DAEMON, ['help', 'docker-opt'])).toThrow('did you mean docker-opts?')
    expect(() => chooseCommand(DAEMON, ['\u2014iface=eth1'])).toThrow('(write --iface), found "--iface"')
  })

  it.each(['mk-docker-opts', 'mk-docker-opts.sh', '/opt/bin/mk-docker-opts.sh'])(
    'runs docker-opts as %s, with all arguments',
    (program) => {
      expect(chooseCommand(program, ['-c', 'cni'])).toEqual({ command: 'docker-opts', args: ['-c', 'cni'] })
    },
  )

  it('is the CNI plugin as flannel, whatever comes after', () => {
    expect(chooseCommand('/opt/cni/bin/flannel', ['x'])).toEqual({ command: 'cni', args: ['x'] })
  })

  it.each(['/mk-docker-opts/flanneld', '/x/flanneld', '', 'main.ts'])('is the daemon as %j', (program) => {
    expect(chooseCommand(program, []).command).toBe('daemon')
  })

  it.each(['eth1', 'dockeropts', 'Docker-opts', 'daemon', '__proto__'])(
    'refuses %s, and says what there is',
    (word) => {
      expect(() => chooseCommand(DAEMON, [word, '-v=1'])).toThrow(ConfigError)
      expect(() => chooseCommand(DAEMON, [word])).toThrow(
        /^arguments: expected flags, or first a command \(.*docker-opts.*\), found "/,
      )
    },
  )
})
