import { describe, expect, it } from 'vitest'
import { findCommand, type Command } from '../../../src/cli/commands.ts'

const command = (name: string, ...links: readonly string[]): Command => ({
  name,
  links,
  run: () => Promise.resolve({ code: 0, stdout: '', stderr: '' }),
})
const COMMANDS = [command('docker-opts', 'mk-docker-opts', 'mk-docker-opts.sh'), command('other')]

describe('findCommand', () => {
  it.each([
    ['/usr/bin/flanneld', ['docker-opts', '-i'], 'docker-opts', ['-i']],
    ['/usr/bin/flanneld', ['other'], 'other', []],
    ['/opt/bin/mk-docker-opts', ['-i'], 'docker-opts', ['-i']],
    ['/opt/bin/mk-docker-opts.sh', ['other'], 'docker-opts', ['other']],
  ])('takes %s with %j for %s', (program, args, name, left) => {
    const call = findCommand(COMMANDS, program, args)
    expect({ name: call?.command.name, args: call?.args }).toEqual({ name, args: left })
  })

  it.each([[[]], [['--iface=docker-opts']], [['--iface', 'docker-opts']], [['toString']], [['']]])(
    'takes %j for the daemon',
    (args) => {
      expect(findCommand(COMMANDS, '/usr/bin/flanneld', args)).toBeUndefined()
    },
  )
})
