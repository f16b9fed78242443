import ts from 'typescript'

/** Some code of one file that runs as a whole or not at all, from one offset to another; its number is its place in the list of all. */
export interface Region {
  readonly file: string
  readonly start: number
  readonly end: number
}

/** What runs as one: statements, and expressions that stand for a branch or a body. */
type Kind = 'statement' | 'lone statement' | 'expression'

interface Insertion {
  readonly at: number
  readonly text: string
}

const hasNoCode = (node: ts.Statement): boolean =>
  ts.isImportDeclaration(node) ||
  ts.isExportDeclaration(node) ||
  ts.isTypeAliasDeclaration(node) ||
  ts.isInterfaceDeclaration(node) ||
  ts.isFunctionDeclaration(node) ||
  (ts.isExpressionStatement(node) && ts.isStringLiteral(node.expression))

const isStatementList = (node: ts.Node): node is ts.SourceFile | ts.Block | ts.CaseOrDefaultClause =>
  ts.isSourceFile(node) || ts.isBlock(node) || ts.isCaseOrDefaultClause(node)

const isFunctionOrClass = (node: ts.Node): boolean => ts.isFunctionLike(node) || ts.isClassExpression(node)

/** Bodies without braces. */
function loneStatements(node: ts.Node): readonly ts.Statement[] {
  if (ts.isIfStatement(node)) return [node.thenStatement, ...(node.elseStatement ? [node.elseStatement] : [])]
  return ts.isIterationStatement(node, false) ? [node.statement] : []
}

const LAZY_OPERATORS = new Set(['&&', '||', '??'])

/** Expressions that run when their turn comes, if ever. A function is left as it is: it is called by the name of what it is given to. */
function lateExpressions(node: ts.Node): readonly ts.Expression[] {
  if (ts.isArrowFunction(node)) return ts.isBlock(node.body) ? [] : [node.body]
  if (ts.isConditionalExpression(node)) return [node.whenTrue, node.whenFalse]
  if (ts.isBinaryExpression(node)) return LAZY_OPERATORS.has(node.operatorToken.getText()) ? [node.right] : []
  if (ts.isPropertyDeclaration(node) && node.initializer) return [node.initializer]
  return []
}

function* partsOf(node: ts.Node): Generator<readonly [ts.Node, Kind]> {
  if (isStatementList(node))
    for (const statement of node.statements) if (!hasNoCode(statement)) yield [statement, 'statement']
  for (const statement of loneStatements(node)) if (!ts.isBlock(statement)) yield [statement, 'lone statement']
  for (const expression of lateExpressions(node)) if (!isFunctionOrClass(expression)) yield [expression, 'expression']
}

const AROUND: Readonly<Record<Kind, readonly [string, (mark: string) => string, string]>> = {
  statement: ['', (mark) => `${mark};`, ''],
  'lone statement': ['{', (mark) => `${mark};`, '}'],
  expression: ['(', (mark) => `${mark},`, ')'],
}

/**
 * Appended to every file: writes the number of a region when it is reached for the first time in a process, at once, since
 * a process may be killed. `b` before the number: by way of the bundle.
 */
const recorder = (path: string): string =>
  [
    ' ;function __reach(n) {',
    'const seen = (globalThis.__reached ??= new Set());',
    'if (seen.has(n)) return;',
    'seen.add(n);',
    "const way = typeof __filename === 'string' && __filename.endsWith('.cjs') ? 'b' : 's';",
    `process.getBuiltinModule('node:fs').appendFileSync(${JSON.stringify(path)}, way + n + '\\n');`,
    '}',
  ].join(' ')

function insert(code: string, insertions: readonly Insertion[]): string {
  let at = 0
  const pieces = insertions.map((insertion) => {
    const before = code.slice(at, insertion.at)
    at = insertion.at
    return before + insertion.text
  })
  return pieces.join('') + code.slice(at)
}

/**
 * @param regions gets those of this file
 * @param path where running code writes what it reached
 * @returns the text of the file, on as many lines as before, that tells what of it is run
 */
export function instrumented(source: ts.SourceFile, file: string, regions: Region[], path: string): string {
  const openings: Insertion[] = []
  const closings: Insertion[] = []
  const visit = (node: ts.Node): void => {
    for (const [part, kind] of partsOf(node)) {
      const [open, mark, close] = AROUND[kind]
      const region = { file, start: part.getStart(source), end: part.getEnd() }
      openings.push({ at: region.start, text: open + mark(`__reach(${regions.length})`) })
      closings.unshift({ at: region.end, text: close })
      regions.push(region)
    }
    node.forEachChild(visit)
  }
  visit(source)
  // Where one part ends and another begins, what was opened last is closed first, and only then the next opened.
  const insertions = [...closings, ...openings].sort((a, b) => a.at - b.at)
  return insert(source.text, insertions) + recorder(path)
}
