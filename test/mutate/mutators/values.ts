import ts from 'typescript'
import type { Mutator, Proposal } from '../mutant.ts'

const { SyntaxKind, TypeFlags } = ts

/** `true` and `false` change places. */
export const booleans: Mutator = (node) => {
  if (node.kind === SyntaxKind.TrueKeyword) return [{ kind: 'literal', node, text: 'false' }]
  if (node.kind === SyntaxKind.FalseKeyword) return [{ kind: 'literal', node, text: 'true' }]
  return []
}

/** Texts and lists become empty. */
export const emptiedValues: Mutator = (node) => {
  if (ts.isStringLiteralLike(node) && node.text !== '' && !ts.isTypeNode(node.parent))
    return [{ kind: 'emptied text', node, text: "''" }]
  if (ts.isTemplateExpression(node)) return [{ kind: 'emptied text', node, text: "''" }]
  if (ts.isArrayLiteralExpression(node) && node.elements.length > 0) return [{ kind: 'emptied list', node, text: '[]' }]
  return []
}

/** What a value of this type may be at its plainest. */
function constantsFor(type: ts.Type, types: ts.TypeChecker): readonly string[] {
  const parts = type.isUnion() ? type.types : [type]
  const has = (flags: ts.TypeFlags): boolean => parts.some((part) => (part.flags & flags) !== 0)
  return [
    ...(has(TypeFlags.BooleanLike) ? ['true', 'false'] : []),
    ...(has(TypeFlags.NumberLike) ? ['0'] : []),
    ...(has(TypeFlags.StringLike) ? ["''"] : []),
    ...(has(TypeFlags.Undefined) ? ['undefined'] : []),
    ...(parts.some((part) => types.isArrayType(part)) ? ['[]'] : []),
  ]
}

/** What a function gives: the expression of a `return`, or the body of an arrow. */
function resultOf(node: ts.Node): ts.Expression | undefined {
  if (ts.isReturnStatement(node)) return node.expression
  return ts.isArrowFunction(node) && !ts.isBlock(node.body) ? node.body : undefined
}

/** A constant instead of what was computed. */
export const returnedConstants: Mutator = (node, types) => {
  const result = resultOf(node)
  if (result === undefined) return []
  return constantsFor(types.getTypeAtLocation(result), types)
    .filter((text) => text !== result.getText())
    .map((text): Proposal => ({ kind: 'returned constant', node: result, text }))
}

const OPPOSITES: Readonly<Record<string, string>> = {
  some: 'every',
  every: 'some',
  min: 'max',
  max: 'min',
  startsWith: 'endsWith',
  endsWith: 'startsWith',
}

/** Calls that may be left out: what they are called on has the same type. */
const PASSING = new Set(['filter', 'toSorted', 'toReversed', 'trim', 'toLowerCase', 'slice'])

/** A method gives the opposite, or what it was called on. */
export const methods: Mutator = (node) => {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return []
  const { name, expression } = node.expression
  const opposite = OPPOSITES[name.text]
  return [
    ...(opposite === undefined ? [] : [{ kind: 'method', node: name, text: opposite }]),
    ...(PASSING.has(name.text) ? [{ kind: 'method', node, text: expression.getText() }] : []),
  ]
}
