import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCleanup } from '../../src/cli/cleanup.ts'
import { chooseCommand, QUESTIONS, SUBCOMMANDS } from '../../src/cli/commands.ts'
import { readCommandLine } from '../../src/cli/flanneld.ts'
import { KLOG_FLAGS } from '../../src/cli/foreign-flags.ts'
import { environmentName, FLAGS } from '../../src/cli/flags.ts'
import { ConfigError } from '../../src/config/error.ts'
import { rawText } from './arbitraries.ts'

const names = [
  ...Object.values(FLAGS).map(({ name }) => name),
  ...KLOG_FLAGS.map(({ name }) => name),
  'h',
  'bogus',
  'etcd-pasword',
  'no-iface',
  'constructor',
  '__proto__',
]
const word = fc.oneof(
  fc.string(),
  rawText,
  fc.constantFrom(
    '',
    '-',
    '--',
    '=',
    'true',
    'false',
    '0',
    '1439',
    '10.0.0.1',
    'http://a:2379',
    '-5',
    '-v',
    'help',
    "'",
  ),
)

const argument = fc.oneof(
  word,
  fc
    .tuple(fc.constantFrom('-', '--', '---', ''), fc.constantFrom(...names), fc.option(word))
    .map(([dashes, name, value]) => (value === null ? `${dashes}${name}` : `${dashes}${name}=${value}`)),
)
const environment = fc.dictionary(fc.constantFrom(...names.map(environmentName)), word, { maxKeys: 3 })

describe('the command line', () => {
  it('is understood or refused by a ConfigError, whatever it says', () => {
    fc.assert(
      fc.property(fc.array(argument, { maxLength: 6 }), environment, (args, variables) => {
        try {
          const invocation = readCommandLine(args, variables)
          if (invocation.kind === 'print') expect(invocation.text).toMatch(/^$|\n$/)
          else if (invocation.kind === 'run') expect(invocation.options.etcd.endpoints.length).toBeGreaterThan(0)
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error
          expect(error.path).not.toBe('')
          expect(error.path).not.toBe('--')
        }
      }),
      { numRuns: 3_000 },
    )
  })

  it('of any command is one, or refused by a ConfigError', () => {
    const first = fc.oneof(
      word,
      fc.constantFrom('daemon', 'help', 'version', ...SUBCOMMANDS.flatMap(({ name, links }) => [name, ...links])),
    )
    fc.assert(
      fc.property(
        fc.oneof(first, rawText),
        fc.array(fc.oneof(first, argument), { maxLength: 4 }),
        environment,
        (...call) => {
          const [program, args, variables] = call
          try {
            const { command, args: rest } = chooseCommand(program, args)
            if (!QUESTIONS.some(({ name }) => name === args[0]))
              expect(args.slice(args.length - rest.length)).toEqual(rest)
            if (command === 'cleanup') expect(['clean', 'print']).toContain(readCleanup(rest, variables).kind)
          } catch (error) {
            if (!(error instanceof ConfigError)) throw error
            expect(error.path).not.toBe('')
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it.each([
    ['--dry-run', { kind: 'clean', dryRun: true }],
    ['-subnet-file /x', { kind: 'clean', subnetFile: '/x' }],
  ])('of cleanup, %s, means the same among flags it does not know: it is refused', (line, expected) => {
    expect(readCleanup(line.split(' '), {})).toMatchObject(expected)
    expect(() => readCleanup([...line.split(' '), '--bogus'], {})).toThrow(ConfigError)
  })

  it('never shows a password in what it complains about', () => {
    const secret = 'hunter2hunter2'
    fc.assert(
      fc.property(fc.array(argument, { maxLength: 4 }), fc.boolean(), (args, inEnvironment) => {
        const [given, variables] = inEnvironment
          ? [args, { FLANNELD_ETCD_PASSWORD: secret }]
          : [[...args, `--etcd-password=${secret}`], {}]
        try {
          readCommandLine(given, variables)
        } catch (error) {
          expect(String(error)).not.toContain(secret)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('never shows a password that has become the value of the flag before it', () => {
    for (const name of names) {
      let complaint = ''
      try {
        readCommandLine([`--${name}`, '--etcd-password=hunter2hunter2'], {})
      } catch (error) {
        complaint = String(error)
      }
      expect(complaint).not.toContain('hunter2')
    }
  })

  it('means the same however a flag is written', () => {
    const flag = fc.constantFrom('iface', 'etcd-prefix', 'subnet-file', 'node-id', 'etcd-username')
    fc.assert(
      fc.property(flag, fc.string({ minLength: 1 }), (name, value) => {
        fc.pre(value.replace(/\/+$/, '').trim() !== '') // blanks around a value are none of it
        fc.pre(name !== 'subnet-file' || !/\/["'\s]*$/.test(value)) // a folder is refused
        const withPassword = { FLANNELD_ETCD_USERNAME: 'u', FLANNELD_ETCD_PASSWORD: 'p' } // a name goes with one
        const expected = readCommandLine([`--${name}=${value}`], withPassword)
        for (const args of [[`-${name}=${value}`], [`-${name}`, value], [`--${name}`, value]])
          expect(readCommandLine(args, withPassword)).toEqual(expected)
        expect(readCommandLine([], { ...withPassword, [environmentName(name)]: value })).toEqual(expected)
      }),
    )
  })
})
