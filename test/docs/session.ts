import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { Place } from '../lab/index.ts'
import { waitFor } from '../lab/wait-for.ts'

/** Packages are downloaded, images loaded: no command of a guide takes longer. In milliseconds. */
const DEADLINE_MS = 180_000

export interface Answer {
  readonly code: number
  /** Standard output and standard error, as they come on a terminal. */
  readonly output: string
}

/** A shell somewhere, to which commands are typed one after the other: what one sets, the next ones have. */
export class Session {
  readonly #shell: ChildProcessWithoutNullStreams
  #heard = ''

  /** @param environment what the shell has besides that of the place */
  constructor(place: Place, environment: Readonly<Record<string, string>> = {}) {
    const settings = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
    const [command, ...args] = place.line('env', [...settings, 'bash', '--noprofile', '--norc'])
    this.#shell = spawn(command, args)
    for (const stream of [this.#shell.stdout, this.#shell.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.#heard += text))
    this.#shell.stdin.on('error', () => undefined)
    this.#shell.stdin.write('exec 2>&1\n')
  }

  /** Types a command, and waits for its end. Those that are left in the background go on. @throws {DeadlineError} */
  async run(command: string): Promise<Answer> {
    const mark = `end-${randomBytes(8).toString('hex')}`
    this.#heard = ''
    this.#shell.stdin.write(`{\n${command}\n} < /dev/null\nprintf '\\n%s %d\\n' ${mark} $?\n`)
    const end = new RegExp(`\\n${mark} (\\d+)\\n`)
    const [, code = ''] = await waitFor(`"${command}" to end; so far: ${this.#heard}`, () => this.#look(end), {
      deadlineMs: DEADLINE_MS,
    })
    return { code: Number(code), output: this.#heard.slice(0, this.#heard.search(end)) }
  }

  #look(end: RegExp): RegExpExecArray | undefined {
    if (this.#shell.exitCode !== null) throw new Error(`the shell has ended: ${this.#heard}`)
    return end.exec(this.#heard) ?? undefined
  }

  close(): void {
    this.#shell.stdin.end('kill $(jobs -p) 2>/dev/null\n')
  }
}
