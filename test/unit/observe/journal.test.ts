import { closeSync, fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isStderrTheJournal } from '../../../src/observe/journal.ts'

describe('standard error is the journal', () => {
  it('where JOURNAL_STREAM names its device and inode, and nowhere else', () => {
    const folder = mkdtempSync(join(tmpdir(), 'journal-'))
    const fd = openSync(join(folder, 'stderr'), 'w')
    try {
      const { dev, ino } = fstatSync(fd)
      expect(isStderrTheJournal({ JOURNAL_STREAM: `${dev}:${ino}` }, fd)).toBe(true)
      // started by hand in a service's environment, or with standard error led elsewhere
      expect(isStderrTheJournal({ JOURNAL_STREAM: `${dev}:${ino + 1}` }, fd)).toBe(false)
      expect(isStderrTheJournal({ JOURNAL_STREAM: `${dev + 1}:${ino}` }, fd)).toBe(false)
      expect(isStderrTheJournal({}, fd)).toBe(false)
      for (const odd of ['', ':', `${dev}`, `${dev}:${ino}:1`, `a:${ino}`, '9'.repeat(400)])
        expect(isStderrTheJournal({ JOURNAL_STREAM: odd }, fd)).toBe(false)
      closeSync(fd)
      expect(isStderrTheJournal({ JOURNAL_STREAM: `${dev}:${ino}` }, fd)).toBe(false)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
