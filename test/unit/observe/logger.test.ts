import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { renderFields } from '../../../src/observe/logger.ts'

const LOGGER = join(import.meta.dirname, '../../../src/observe/logger.ts')

/** What a process says that does this with a logger `log` of the given verbosity. */
function outputOf(
  verbosity: number,
  statements: string,
  options: Readonly<Record<string, unknown>> = {},
): { readonly stdout: string; readonly lines: readonly string[] } {
  const script = `import { createLogger } from ${JSON.stringify(LOGGER)}; const log = createLogger(${JSON.stringify({ verbosity, format: 'text', isJournal: false, ...options })}); ${statements}`
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  return { stdout, lines: stderr.split('\n').slice(0, -1) }
}

describe('createLogger', () => {
  it('writes one line per event on standard error: time, level, message, fields', () => {
    const { stdout, lines } = outputOf(0, "log.info('hello', { peer: 3 }); log.warn('careful'); log.error('no')")
    expect(stdout).toBe('')
    expect(lines.map((line) => line.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /, ''))).toEqual([
      'info hello peer=3',
      'warn careful',
      'error no',
    ])
  })

  it.each([
    [0, 0],
    [1, 1],
    [10, 1],
  ])('at verbosity %i says %i debug lines of 1', (verbosity, count) => {
    expect(outputOf(verbosity, "log.debug('detail')").lines).toHaveLength(count)
  })

  it('makes no line of what it does not say', () => {
    const statements = "log.debug('detail', { get peer() { console.log('read'); return 3 } })"
    expect([0, 1].map((verbosity) => outputOf(verbosity, statements).stdout)).toEqual(['', 'read\n'])
  })

  it('has a priority instead of a time in the journal, which knows the time', () => {
    const statements = "log.error('a'); log.warn('b'); log.info('hello', { peer: 3 }); log.debug('d')"
    const { lines } = outputOf(1, statements, { isJournal: true })
    expect(lines).toEqual(['<3>error a', '<4>warn b', '<6>info hello peer=3', '<7>debug d'])
  })

  it('writes JSON objects where it is asked to: time, level and message first, then the fields with their types', () => {
    const statements =
      "log.warn('careful', { peers: 3, one: 'a b', up: true, none: undefined, level: 'x' }); log.debug('no'); log.error('a')"
    const { lines } = outputOf(0, statements, { format: 'json', isJournal: true })
    expect(lines.map((line) => line.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/, 'NOW'))).toEqual([
      '<4>{"time":"NOW","level":"warn","message":"careful","peers":3,"one":"a b","up":true,"level_":"x"}',
      '<3>{"time":"NOW","level":"error","message":"a"}',
    ])
  })

  it('says to programs which event a line is, in JSON alone', () => {
    const statement = "log.info('peer joined', { subnet: 's' }, { kind: 'peer-joined', time: 1, none: undefined })"
    expect(outputOf(0, statement, { isJournal: true }).lines).toEqual(['<6>info peer joined subnet=s'])
    const { lines } = outputOf(0, statement, { format: 'json' })
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ kind: 'peer-joined', time_: 1, subnet: 's', level: 'info' })
    expect(lines[0]).toMatch(/^\{"time":"[^"]*","level":"info","message":"peer joined","kind":"peer-joined"/)
  })

  it('lets nobody forge a line, flood the log or talk to the terminal in JSON either', () => {
    const { lines } = outputOf(
      0,
      String.raw`log.warn('a\nb\u009b31m\u202e', { lease: 'p\nq\u009br"', long: 'x'.repeat(100_000) })`,
      { format: 'json' },
    )
    expect(lines).toHaveLength(1)
    const [line = ''] = lines
    expect(JSON.parse(line)).toMatchObject({
      message: String.raw`a b\u{9b}31m\u{202e}`,
      lease: String.raw`p q\u{9b}r"`,
      long: expect.stringMatching(/^x+… \(100000 characters\)$/) as unknown,
    })
  })

  it('lets nobody forge a line or talk to the terminal, in the message as little as in a field', () => {
    const { lines } = outputOf(
      0,
      String.raw`log.warn('a\r\nb\u001b[31mc\u0085d\u2028e\u009b1mf', { key: 'x\u001b]0;title\u0007y', lease: 'p\nq\u009br' })`,
    )
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain(
      String.raw`warn a b\u{1b}[31mc d e\u{9b}1mf key=x\u{1b}]0;title\u{7}y lease="p\nq\u{9b}r"`,
    )
  })

  it('caps every message and every field', () => {
    const { lines } = outputOf(0, "log.warn('m'.repeat(100_000), { a: 'a'.repeat(100_000), b: ' '.repeat(100_000) })")
    expect(lines).toHaveLength(1)
    expect(lines[0]?.length).toBeLessThan(6_500)
    expect(lines[0]).toMatch(/m… \(100000 characters\) a="a+… \(100000 characters\)" b=" +… \(100000 characters\)"$/)
  })
})

describe('renderFields', () => {
  it.each([
    [{}, ''],
    [{ a: 1, b: true, c: 'eth0' }, ' a=1 b=true c=eth0'],
    [{ a: undefined, b: 2 }, ' b=2'],
    [{ a: '' }, ' a=""'],
    [{ a: 'two words' }, ' a="two words"'],
    [{ a: 'k=v' }, ' a="k=v"'],
    [{ a: 'say "hi"' }, ' a="say \\"hi\\""'],
    [{ a: 'x\ny' }, ' a="x\\ny"'],
  ])('%j as%s', (fields, text) => {
    expect(renderFields(fields)).toBe(text)
  })
})
