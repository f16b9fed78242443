import ts from 'typescript'
import type { Mutator, Proposal } from '../mutant.ts'

const { SyntaxKind } = ts

/** What is there for its effect is not done. */
export const removedStatements: Mutator = (node) => {
  const removed = (kind: string): readonly Proposal[] => [{ kind, node, text: ';' }]
  if (ts.isExpressionStatement(node)) return ts.isStringLiteral(node.expression) ? [] : removed('removed statement')
  if (ts.isThrowStatement(node)) return removed('removed throw')
  if (ts.isBreakOrContinueStatement(node)) return removed('removed jump')
  if (ts.isReturnStatement(node)) return removed('removed return')
  return []
}

const isBodyWithMore = (block: ts.Block): boolean => block.statements.length > 1

/** A function's body of several statements, and what follows an error or is done in any case, becomes empty. */
export const emptiedBlocks: Mutator = (node) => {
  if (!ts.isBlock(node)) return []
  const [first] = node.statements
  if (first === undefined) return []
  const emptied = { kind: 'emptied block', node, text: '{}', probe: first.getStart() }
  const isFunction = ts.isFunctionLike(node.parent) && isBodyWithMore(node)
  const isCatch = ts.isCatchClause(node.parent)
  const isFinally = ts.isTryStatement(node.parent) && node.parent.finallyBlock === node
  return isFunction || isCatch || isFinally ? [emptied] : []
}

/** The expression that decides on a branch or a round. */
function conditionOf(node: ts.Node): ts.Expression | undefined {
  if (ts.isIfStatement(node) || ts.isWhileStatement(node) || ts.isDoStatement(node)) return node.expression
  if (ts.isForStatement(node) || ts.isConditionalExpression(node)) return node.condition
  return undefined
}

/** Conditions are always or never met. */
export const conditions: Mutator = (node) => {
  const condition = conditionOf(node)
  if (condition === undefined) return []
  if (condition.kind === SyntaxKind.TrueKeyword || condition.kind === SyntaxKind.FalseKeyword) return []
  return ['true', 'false'].map((text) => ({ kind: 'condition', node: condition, text }))
}

/** A promise is not waited for. */
export const missingAwaits: Mutator = (node) =>
  ts.isAwaitExpression(node) ? [{ kind: 'removed await', node, text: node.expression.getText() }] : []
