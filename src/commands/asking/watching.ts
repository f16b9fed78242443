import { setTimeout } from 'node:timers/promises'
import { EXIT } from '../../cli/exit-codes.ts'
import { AgentAnswerError, AgentAwayError } from '../../status/client/errors.ts'
import { wordsFor, type Asking, type Said } from './asking.ts'
import { isReaderGone, writeOutput } from '../output.ts'

/** Between two looks, in milliseconds. */
const EVERY_MS = 2_000

/** Control sequences of ECMA-48: to the first line and column; the rest of the line, and of the screen, is erased. */
const [HOME, REST_OF_LINE, REST_OF_SCREEN] = ['\u001b[H', '\u001b[K', '\u001b[J']
const CLEAR = `${HOME}\u001b[2J`

/**
 * Shows the same thing again and again until stopped: on a terminal in place, without flicker, and no more lines than it has; else one
 * after the other. An agent that goes away is waited for.
 * @returns what is left to be said: nothing, with the code of the last look
 */
export async function watching(asked: Asking, look: (asked: Asking) => Promise<Said>): Promise<Said> {
  const { signal, terminal } = asked
  let last: number = EXIT.failed
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    const { text, code } = await look(asked).catch(awayAsText)
    const shown = terminal.isLive ? `${isFirst ? CLEAR : HOME}${onScreen(text)}${REST_OF_SCREEN}` : text
    last = code
    try {
      await writeOutput(shown, signal)
    } catch (error) {
      if (isReaderGone(error)) break
      throw error
    }
    await setTimeout(EVERY_MS, undefined, { signal }).catch(() => undefined)
  }
  return { text: '', code: last }
}

function awayAsText(error: unknown): Said {
  if (!(error instanceof AgentAwayError || error instanceof AgentAnswerError)) throw error
  return { text: `${wordsFor(error)}\n`, code: EXIT.failed }
}

function onScreen(text: string): string {
  const most = Math.max(1, (process.stdout.rows || 24) - 1)
  const lines = text.trimEnd().split('\n')
  const shown = lines.length > most ? [...lines.slice(0, most - 1), `… ${lines.length - most + 1} lines more`] : lines
  return shown.map((line) => `${line}${REST_OF_LINE}\n`).join('')
}
