import ts from 'typescript'

/** One import of a source file, in whatever form: statement, re-export, `import()`, `import('…')` as a type, `require()`. */
export interface Import {
  /** As written; undefined when it is computed. */
  readonly specifier: string | undefined
  /** `import type`: gone at run time. */
  readonly typeOnly: boolean
}

/** What the rules must know of a source file. */
export interface Facts {
  readonly imports: readonly Import[]
  /** Names used without being somebody's property, and `Math.random` and its like as a whole. */
  readonly names: ReadonlySet<string>
}

export function factsOf(path: string, text: string): Facts {
  const imports: Import[] = []
  const names = new Set<string>()
  const visit = (node: ts.Node): void => {
    const found = importOf(node)
    if (found !== undefined) imports.push(found)
    if (ts.isIdentifier(node) && !isPropertyName(node)) names.add(node.text)
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression))
      names.add(`${node.expression.text}.${node.name.text}`)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true))
  return { imports, names }
}

function importOf(node: ts.Node): Import | undefined {
  if (ts.isImportDeclaration(node))
    return {
      specifier: literal(node.moduleSpecifier),
      typeOnly: node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword,
    }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined)
    return { specifier: literal(node.moduleSpecifier), typeOnly: node.isTypeOnly }
  if (ts.isImportTypeNode(node))
    return {
      specifier: ts.isLiteralTypeNode(node.argument) ? literal(node.argument.literal) : undefined,
      typeOnly: true,
    }
  if (ts.isCallExpression(node) && isLoader(node.expression))
    return { specifier: literal(node.arguments[0]), typeOnly: false }
  return undefined
}

const isLoader = (callee: ts.Expression): boolean =>
  callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require')

const literal = (node: ts.Node | undefined): string | undefined =>
  node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined

/** `name` in `value.name`, `{ name: … }` and in declarations of members. */
function isPropertyName(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node
  if (ts.isPropertyAssignment(parent)) return parent.name === node
  return ts.isClassElement(parent) || ts.isTypeElement(parent) ? parent.name === node : false
}
