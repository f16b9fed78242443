import ts from 'typescript'
import type { Mutator, Proposal } from '../mutant.ts'

const { SyntaxKind } = ts

/** By operator, what it becomes. */
const COMPARISONS: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '==': ['!='],
  '!=': ['=='],
}

const ARITHMETIC: Readonly<Record<string, string>> = {
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  '**': '*',
  '<<': '>>',
  '>>': '<<',
  '>>>': '<<',
  '&': '|',
  '|': '&',
  '^': '&',
  '+=': '-=',
  '-=': '+=',
  '*=': '/=',
  '/=': '*=',
  '|=': '&=',
  '&=': '|=',
}

const LOGIC: Readonly<Record<string, string>> = { '&&': '||', '||': '&&', '??=': '=', '||=': '=', '&&=': '=' }

const kindOf = (operator: string): string =>
  operator in COMPARISONS ? 'comparison' : operator in LOGIC ? 'logic' : 'arithmetic'

const replacements = (operator: string): readonly string[] =>
  COMPARISONS[operator] ?? [ARITHMETIC[operator], LOGIC[operator]].filter((text) => text !== undefined)

/** Comparisons and their boundaries, boolean and arithmetic operators. */
export const binaryOperators: Mutator = (node) => {
  if (!ts.isBinaryExpression(node)) return []
  const operator = node.operatorToken.getText()
  return replacements(operator).map((text) => ({ kind: kindOf(operator), node: node.operatorToken, text }))
}

/** `a[i] ?? 0` is what the compiler asks for where `i` is within bounds: the zero is never seen, and without it nothing else is. */
const isIndexed = ({ left, right }: ts.BinaryExpression): boolean =>
  ts.isElementAccessExpression(left) && left.questionDotToken === undefined && right.getText() === '0'

/** `a ?? b` becomes either of both; the left side alone is taken for one that is always there. */
export const defaults: Mutator = (node) => {
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== SyntaxKind.QuestionQuestionToken) return []
  const toRight = { kind: 'default', node, text: `(${node.right.getText()})`, probe: node.left.getStart() }
  const toLeft = { kind: 'default', node, text: `(${node.left.getText()})!` }
  return isIndexed(node) ? [toRight] : [toRight, toLeft]
}

/** `!a` becomes `a`, `-a` becomes `+a`, `a++` becomes `a--`. */
export const unaryOperators: Mutator = (node) => {
  if (!ts.isPrefixUnaryExpression(node) && !ts.isPostfixUnaryExpression(node)) return []
  const operand = node.operand.getText()
  const changed = (text: string): readonly Proposal[] => [{ kind: 'unary', node, text }]
  const isPrefix = ts.isPrefixUnaryExpression(node)
  switch (node.operator) {
    case SyntaxKind.ExclamationToken:
    case SyntaxKind.TildeToken:
      return changed(operand)
    case SyntaxKind.MinusToken:
      return changed(`+${operand}`)
    case SyntaxKind.PlusPlusToken:
      return changed(isPrefix ? `--${operand}` : `${operand}--`)
    case SyntaxKind.MinusMinusToken:
      return changed(isPrefix ? `++${operand}` : `${operand}++`)
    default:
      return []
  }
}

/** The link of a chain that stops at nothing: `a?.b` becomes `a!.b`, which throws there. */
export const optionalChains: Mutator = (node) => {
  if (!ts.isPropertyAccessExpression(node) && !ts.isElementAccessExpression(node) && !ts.isCallExpression(node))
    return []
  const token = node.questionDotToken
  if (token === undefined) return []
  return [{ kind: 'optional chain', node: token, text: ts.isPropertyAccessExpression(node) ? '!.' : '!' }]
}
