import { expect, test } from 'vitest'
import type { DoctorDocument } from '../../../src/doctor/document.ts'
import { showFindings } from '../../../src/show/doctor.ts'
import { LOOKS } from './shown.ts'

test('of a healthy host, doctor counts what it has looked into, and stays on one line', () => {
  const lookedInto = Array.from({ length: 60 }, (_, at) => `the check with the number ${at}`)
  const document: DoctorDocument = {
    ...{ version: 1, at: '2026-11-30T03:00:00.000Z', hasAgent: true },
    ...{ findings: [], notLookedInto: [], lookedInto },
  }
  expect(showFindings(document, LOOKS)).toBe('nothing found that is wrong (looked into 60 things; --json names them)\n')
})

test('without an agent it names no store that this host may not have', () => {
  const document: DoctorDocument = {
    ...{ version: 1, at: '2026-11-30T03:00:00.000Z', hasAgent: false },
    ...{ findings: [], notLookedInto: [], lookedInto: [] },
  }
  expect(showFindings(document, LOOKS)).toMatch(/^no agent answers here: what the kernel and the store say has to do\n/)
})

test('where not everything was looked into, nothing is called well', () => {
  const text = showFindings(
    {
      ...{ version: 1, at: '2026-11-30T03:00:00.000Z', hasAgent: true, findings: [], lookedInto: ['routes'] },
      notLookedInto: [{ what: 'rules of others', why: 'nft was killed' }],
    },
    LOOKS,
  )
  expect(text).toContain('nothing found so far: not everything was looked into')
  expect(text).toContain('rules of others  nft was killed')
})
