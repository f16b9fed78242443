import type { Finding } from '../../doctor/finding.ts'
import { askPerson } from '../asking/person.ts'
import { runTool, type RunTool } from '../../firewall/command.ts'

export interface FixOptions {
  /** Nobody is asked. */
  readonly isSure: boolean
  readonly signal: AbortSignal
  /** Tells a person what is being done. */
  readonly say: (text: string) => void
  readonly run?: RunTool
  /** Whether the person at the terminal agrees. */
  readonly agree?: (question: string, signal: AbortSignal) => Promise<boolean>
}

const NOTHING_DONE = 'nothing was done: what cures is to be decided by you'

/**
 * Runs the commands that cure, of those findings that have any that may be run so: each is said before, and asked for. One that fails is
 * said, and those behind it of the same finding are left out.
 * @returns whether anything was run
 */
export async function applyFixes(findings: readonly Finding[], options: FixOptions): Promise<boolean> {
  const { signal, say, isSure, run = runTool, agree = askPerson } = options
  let hasRun = false
  for (const { summary, fix = [] } of findings) {
    if (fix.length === 0) continue
    say(summary)
    for (const command of fix) {
      const [tool = '', ...args] = command
      const shown = command.join(' ')
      if (!isSure && !(await agree(`run ${shown}? [y/N] `, signal))) break
      say(`running ${shown}`)
      hasRun = true
      try {
        await run(tool, args, '', signal)
      } catch (error) {
        signal.throwIfAborted()
        say(`${shown}: ${error instanceof Error ? error.message : String(error)}`)
        break
      }
    }
  }
  if (!hasRun && findings.length > 0) say(NOTHING_DONE)
  return hasRun
}
