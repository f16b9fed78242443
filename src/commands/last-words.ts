import { isStderrTheJournal, withPriority } from '../observe/journal.ts'

/** Writes why a command ends, a line or a stack. */
export type LastWords = (text: string, speaker?: string) => void

let write: LastWords = (text, speaker = 'flanneld') => {
  const words = `${speaker}: ${text}`
  process.stderr.write(`${isStderrTheJournal(process.env) ? withPriority('error', words) : words}\n`)
}

/** Says why the process ends: where {@link sendLastWordsTo} has told, else on standard error. */
export const sayLast: LastWords = (text, speaker) => {
  write(text, speaker)
}

/** Whoever reads a log of JSON objects can make nothing of any other line. */
export function sendLastWordsTo(say: (text: string) => void): void {
  write = (text) => {
    say(text)
  }
}
