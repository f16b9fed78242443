import { expect, it } from 'vitest'
import { isAgreement } from '../../../src/commands/asking/person.ts'

it.each([
  ['y', true],
  [' YES ', true],
  ['', false],
  ['n', false],
  ['yep', false],
  ['yes, but', false],
])('%j to a question is an agreement: %j', (answer, expected) => {
  expect(isAgreement(answer)).toBe(expected)
})
