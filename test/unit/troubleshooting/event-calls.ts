import ts from 'typescript'

/** What one call of the log says to programs. */
export interface EventCall {
  readonly kind: string
  /** Names of the fields of its line, and of its event. */
  readonly keys: readonly string[]
  readonly level: string
}

const LEVELS: ReadonlySet<string> = new Set(['info', 'warn', 'error'])

/** All calls of a Logger in a program that say which event they are, by the types of their arguments. */
export function eventCalls(program: ts.Program, isMeant: (file: string) => boolean): readonly EventCall[] {
  const checker = program.getTypeChecker()
  const found: EventCall[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) found.push(...eventsOf(node, checker))
    ts.forEachChild(node, visit)
  }
  for (const file of program.getSourceFiles()) if (isMeant(file.fileName)) visit(file)
  return found
}

function eventsOf(call: ts.CallExpression, checker: ts.TypeChecker): readonly EventCall[] {
  const [, fields, event] = call.arguments
  if (event === undefined) return []
  const kind = checker.getTypeAtLocation(event).getProperty('kind')
  if (kind === undefined || !isLogger(call.expression, checker)) return []
  const type = checker.getTypeOfSymbolAtLocation(kind, event)
  const literals = type.isUnion() ? type.types : [type]
  const keys = [fields, event].flatMap((one) => (one === undefined ? [] : keysOf(checker.getTypeAtLocation(one))))
  const level = ts.isPropertyAccessExpression(call.expression) ? call.expression.name.text : 'warn or error'
  return literals.flatMap((literal) =>
    literal.isStringLiteral()
      ? [{ kind: literal.value, keys: [...new Set(keys)].filter((key) => key !== 'kind').sort(), level }]
      : [],
  )
}

const keysOf = (type: ts.Type): readonly string[] =>
  (type.isUnion() ? type.types : [type]).flatMap((one) => one.getProperties().map(({ name }) => name))

function isLogger(callee: ts.Expression, checker: ts.TypeChecker): boolean {
  const object =
    ts.isPropertyAccessExpression(callee) || ts.isElementAccessExpression(callee) ? callee.expression : callee
  if (checker.getTypeAtLocation(object).getSymbol()?.name !== 'Logger') return false
  return !ts.isPropertyAccessExpression(callee) || LEVELS.has(callee.name.text)
}
