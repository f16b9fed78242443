import { describe, expect, it } from 'vitest'
import { wordsFor } from '../../../src/commands/cleanup-report.ts'

const REPORT = { removed: ['device flannel.1'], kept: ['/run/notes'], failures: [] }
const released = ['lease 10.15.64.0-20']

describe('what flanneld cleanup says', () => {
  it('is what was done, and ends well', () => {
    const text = 'removed device flannel.1\nreleased lease 10.15.64.0-20\nleft alone /run/notes\n'
    expect(wordsFor({ ...REPORT, released }, false)).toEqual({ text, complaints: [], code: 0 })
  })

  it('is what would be done, when it only looks', () => {
    const text = 'would remove device flannel.1\nwould release lease 10.15.64.0-20\nleft alone /run/notes\n'
    expect(wordsFor({ ...REPORT, released }, true)).toEqual({ text, complaints: [], code: 0 })
  })

  it('is nothing where there was nothing', () => {
    expect(wordsFor({ removed: [], kept: [], failures: [] }, false)).toEqual({ text: '', complaints: [], code: 0 })
  })

  it('is a failure where anything could not be done', () => {
    expect(wordsFor({ ...REPORT, kept: [], failures: ['device flannel.2: busy'] }, false)).toEqual({
      ...{ text: 'removed device flannel.1\n', complaints: ['failed: device flannel.2: busy'], code: 1 },
    })
  })
})
