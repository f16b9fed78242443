import { createInterface } from 'node:readline/promises'
import { ConfigError } from '../../config/error.ts'

/**
 * Sees to it, before anything else is done, that whoever is to be asked is there.
 * @param what names the command or flag that asks, for messages
 * @param isSure nobody is to be asked (`--yes`)
 * @param isInputTaken standard input is read for something else
 * @throws {ConfigError}
 */
export function requirePerson(what: string, isSure: boolean, isInputTaken = false): void {
  if (isSure || (process.stdin.isTTY && !isInputTaken)) return
  throw new ConfigError(what, '--yes with it, where nobody is there to be asked', undefined)
}

/** Asks the person at the terminal. @returns whether it was agreed to */
export async function askPerson(question: string, signal: AbortSignal): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return isAgreement(await terminal.question(question, { signal }))
  } finally {
    terminal.close()
  }
}

/** Nothing but a clear yes counts as one. */
export const isAgreement = (answer: string): boolean => /^y(es)?$/i.test(answer.trim())
