import ts from 'typescript'
import { mutantOf, type Mutant, type Mutator } from '../mutant.ts'
import { binaryOperators, defaults, optionalChains, unaryOperators } from './operators.ts'
import { conditions, emptiedBlocks, missingAwaits, removedStatements } from './statements.ts'
import { booleans, emptiedValues, methods, returnedConstants } from './values.ts'

const MUTATORS: readonly Mutator[] = [
  binaryOperators,
  defaults,
  unaryOperators,
  optionalChains,
  removedStatements,
  emptiedBlocks,
  conditions,
  missingAwaits,
  booleans,
  emptiedValues,
  returnedConstants,
  methods,
]

const isText = (node: ts.Node): boolean => ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)

const LOGGING = new Set(['error', 'warn', 'info', 'debug'])

const nameOfCall = (node: ts.Node): string | undefined =>
  ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression) ? node.expression.name.text : undefined

/** Lines for whoever looks for a fault, and what decides on nothing else: nothing depends on them. */
const isDebugging = (node: ts.Node): boolean =>
  (ts.isExpressionStatement(node) && nameOfCall(node.expression) === 'debug') ||
  (ts.isIfStatement(node) && node.elseStatement === undefined && isDebugging(node.thenStatement))

/** A call that writes a line to the log, or an error: its text is for people, and tests are asked not to depend on it. */
const takesProse = (node: ts.Node): boolean =>
  LOGGING.has(nameOfCall(node) ?? '') || (ts.isNewExpression(node) && node.expression.getText().endsWith('Error'))

/** Four plain words in a row. */
const SENTENCE = /(?<![^\s('"`])(?:[a-z][a-z'’]*[,.:;]? ){3}[a-z]/i

/** A text for people, wherever it goes in the end: into a reason, a message, a page of help. Whether it is said at all is another matter. */
const isSentence = (node: ts.Node): boolean =>
  isText(node) && SENTENCE.test(node.getText().replaceAll(/\$\{[^}]*\}/g, '$'))

/** What a property is called, if that is a text. */
const isName = (node: ts.Node): boolean =>
  ts.isStringLiteral(node) && 'name' in node.parent && node.parent.name === node

/** Code that is gone at run time, or names a module. */
const isNoCode = (node: ts.Node): boolean =>
  ts.isTypeNode(node) ||
  ts.isImportDeclaration(node) ||
  ts.isExportDeclaration(node) ||
  ts.isTypeAliasDeclaration(node) ||
  ts.isInterfaceDeclaration(node) ||
  isName(node)

/** Of two that make the same text, the first. */
function distinct(mutants: readonly Mutant[]): readonly Mutant[] {
  const keys = new Map(mutants.toReversed().map((mutant) => [`${mutant.start}-${mutant.end}-${mutant.text}`, mutant]))
  return mutants.filter((mutant) => keys.get(`${mutant.start}-${mutant.end}-${mutant.text}`) === mutant)
}

/**
 * Every mutant of one file, in the order of the text.
 * @param file its name in the mutants
 */
export function mutantsOf(source: ts.SourceFile, file: string, types: ts.TypeChecker): readonly Mutant[] {
  const found: Mutant[] = []
  const visit = (node: ts.Node, inProse: boolean): void => {
    if (isDebugging(node) || isNoCode(node)) return
    if (!(inProse && isText(node)))
      for (const mutator of MUTATORS)
        for (const proposal of mutator(node, types))
          if (!isSentence(proposal.node)) found.push(mutantOf(source, file, proposal))
    node.forEachChild((child) => {
      visit(child, inProse || takesProse(node))
    })
  }
  visit(source, false)
  return distinct(found)
}
