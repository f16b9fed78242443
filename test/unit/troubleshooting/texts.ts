import ts from 'typescript'

/** Stands in a text for what is known at run time only. */
export const HOLE = '…'

/** What is said in so many ways is a hole. */
const MOST_WAYS = 40
/** Calls within calls that are looked into. */
const DEEPEST = 6

/** What a name stands for: the texts it can have, and those of its fields. Worked out when asked for. */
interface Value {
  texts(): readonly string[]
  fields(): ReadonlyMap<string, Value>
}

/** What parameters stand for at the place of a call. */
type Bound = ReadonlyMap<ts.Symbol, Value>

const ANYTHING: readonly string[] = [HOLE]

/**
 * Works out, without running it, every text that an expression can have: constants, templates, choices and functions of ours are
 * followed to their literals, whatever else there is becomes a hole.
 */
export class Texts {
  readonly #checker: ts.TypeChecker

  constructor(checker: ts.TypeChecker) {
    this.#checker = checker
  }

  of(node: ts.Expression | undefined, bound: Bound = new Map(), depth = 0): readonly string[] {
    const found = node === undefined || depth > DEEPEST ? ANYTHING : this.#of(node, bound, depth)
    const ways = [...new Set(found.map((text) => text.replaceAll(/…+/g, HOLE)))]
    return ways.length > MOST_WAYS ? ANYTHING : ways
  }

  ofShorthand(node: ts.ShorthandPropertyAssignment): readonly string[] {
    return this.#named(this.#checker.getShorthandAssignmentValueSymbol(node), new Map(), 0)
  }

  /** The message of an error: what its constructor hands to that of `Error`. */
  ofError(node: ts.NewExpression, bound: Bound = new Map(), depth = 0): readonly string[] {
    const args = node.arguments ?? []
    const made = this.#checker.getResolvedSignature(node)?.declaration
    if (made === undefined || !ts.isConstructorDeclaration(made)) return this.of(args[0], bound, depth)
    return this.of(superArgument(made), this.bind(made.parameters, args, bound, depth), depth + 1)
  }

  #of(node: ts.Expression, bound: Bound, depth: number): readonly string[] {
    if (ts.isStringLiteralLike(node)) return [node.text]
    if (ts.isTemplateExpression(node)) return this.#template(node, bound, depth)
    if (ts.isConditionalExpression(node)) return this.#either([node.whenTrue, node.whenFalse], bound, depth)
    if (ts.isBinaryExpression(node)) return this.#binary(node, bound, depth)
    if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node) || ts.isAwaitExpression(node))
      return this.of(node.expression, bound, depth)
    if (ts.isCallExpression(node)) return this.#call(node, bound, depth)
    if (ts.isElementAccessExpression(node)) return this.#values(node.expression, bound, depth)
    if (ts.isIdentifier(node)) return this.#named(this.#checker.getSymbolAtLocation(node), bound, depth)
    if (ts.isPropertyAccessExpression(node)) return this.#property(node, bound, depth)
    return ANYTHING
  }

  #template({ head, templateSpans }: ts.TemplateExpression, bound: Bound, depth: number): readonly string[] {
    let texts: readonly string[] = [head.text]
    for (const { expression, literal } of templateSpans)
      texts = product(texts, this.of(expression, bound, depth), literal.text)
    return texts
  }

  #binary({ left, right, operatorToken }: ts.BinaryExpression, bound: Bound, depth: number): readonly string[] {
    switch (operatorToken.kind) {
      case ts.SyntaxKind.PlusToken:
        return product(this.of(left, bound, depth), this.of(right, bound, depth), '')
      case ts.SyntaxKind.QuestionQuestionToken:
      case ts.SyntaxKind.BarBarToken:
        return this.#either([left, right], bound, depth)
      default:
        return ANYTHING
    }
  }

  #either(nodes: readonly ts.Expression[], bound: Bound, depth: number): readonly string[] {
    return nodes
      .filter((node) => !ts.isIdentifier(node) || node.text !== 'undefined')
      .flatMap((node) => this.of(node, bound, depth))
  }

  /** A function of ours gives what it returns; a map, what is in it. */
  #call(node: ts.CallExpression, bound: Bound, depth: number): readonly string[] {
    const { expression } = node
    if (ts.isPropertyAccessExpression(expression) && expression.name.text === 'get')
      return this.#values(expression.expression, bound, depth)
    const callee = this.#checker.getResolvedSignature(node)?.declaration
    if (callee === undefined || !isOurs(callee) || !('body' in callee) || callee.body === undefined) return ANYTHING
    const inner = this.bind(callee.parameters, node.arguments, bound, depth)
    return returnsOf(callee.body).flatMap((result) => this.of(result, inner, depth + 1))
  }

  /** What the parameters of a call stand for. */
  bind(
    parameters: readonly ts.ParameterDeclaration[],
    args: readonly ts.Expression[],
    outer: Bound = new Map(),
    depth = 0,
  ): Bound {
    const bound = new Map(outer)
    parameters.forEach(({ name, initializer }, at) => {
      const given = args[at] ?? initializer
      const value = given && this.#value(given, outer, depth)
      if (value === undefined) return
      for (const [identifier, part] of ts.isIdentifier(name) ? [[name, value] as const] : partsOf(name, value)) {
        const symbol = this.#checker.getSymbolAtLocation(identifier)
        if (symbol !== undefined) bound.set(symbol, part)
      }
    })
    return bound
  }

  #value(node: ts.Expression, bound: Bound, depth: number): Value {
    return { texts: () => this.of(node, bound, depth), fields: () => this.#fields(node, bound, depth) }
  }

  #fields(node: ts.Expression, bound: Bound, depth: number): ReadonlyMap<string, Value> {
    const symbol = ts.isIdentifier(node) ? this.#checker.getSymbolAtLocation(node) : undefined
    const known = symbol && bound.get(symbol)
    if (known !== undefined) return known.fields()
    const fields = new Map<string, Value>()
    for (const property of ts.isObjectLiteralExpression(node) ? node.properties : []) {
      if (ts.isPropertyAssignment(property) && ts.isIdentifier(property.name))
        fields.set(property.name.text, this.#value(property.initializer, bound, depth))
      if (!ts.isShorthandPropertyAssignment(property)) continue
      const named = this.#checker.getShorthandAssignmentValueSymbol(property)
      fields.set(property.name.text, { texts: () => this.#named(named, bound, depth), fields: () => new Map() })
    }
    return fields
  }

  #named(symbol: ts.Symbol | undefined, bound: Bound, depth: number): readonly string[] {
    const known = symbol && bound.get(symbol)
    if (known !== undefined) return known.texts()
    const declaration = this.#resolved(symbol)?.valueDeclaration
    if (declaration === undefined || !isOurs(declaration) || !ts.isVariableDeclaration(declaration)) return ANYTHING
    const loop = declaration.parent.parent
    if (ts.isForOfStatement(loop)) return this.#elements(loop.expression, bound, depth + 1)
    return this.of(declaration.initializer, bound, depth + 1)
  }

  /** What a list consists of that a function of ours makes by `map`. */
  #elements(node: ts.Expression, bound: Bound, depth: number): readonly string[] {
    if (depth > DEEPEST || !ts.isCallExpression(node)) return ANYTHING
    const [each] = node.arguments
    const isMap = ts.isPropertyAccessExpression(node.expression) && node.expression.name.text === 'map'
    if (isMap && each !== undefined && ts.isArrowFunction(each))
      return returnsOf(each.body).flatMap((result) => this.of(result, bound, depth + 1))
    const callee = this.#checker.getResolvedSignature(node)?.declaration
    if (callee === undefined || !isOurs(callee) || !('body' in callee) || callee.body === undefined) return ANYTHING
    const inner = this.bind(callee.parameters, node.arguments, bound, depth)
    return returnsOf(callee.body).flatMap((result) => this.#elements(result, inner, depth + 1))
  }

  /** A field of the object that a parameter stands for, or of a constant. */
  #property(node: ts.PropertyAccessExpression, bound: Bound, depth: number): readonly string[] {
    const field = this.#fields(node.expression, bound, depth).get(node.name.text)
    if (field !== undefined) return field.texts()
    const owner = this.#resolved(this.#checker.getSymbolAtLocation(node.expression))?.valueDeclaration
    const made = owner !== undefined && ts.isVariableDeclaration(owner) ? owner.initializer : undefined
    if (node.name.text === 'message' && made !== undefined && ts.isNewExpression(made))
      return this.ofError(made, bound, depth)
    const declaration = this.#checker.getSymbolAtLocation(node.name)?.valueDeclaration
    return declaration !== undefined && isOurs(declaration) && ts.isPropertyAssignment(declaration)
      ? this.of(declaration.initializer, bound, depth + 1)
      : ANYTHING
  }

  /** All that a constant map or object holds. */
  #values(node: ts.Expression, bound: Bound, depth: number): readonly string[] {
    const declaration = this.#resolved(this.#checker.getSymbolAtLocation(node))?.valueDeclaration
    if (declaration === undefined || !ts.isVariableDeclaration(declaration)) return ANYTHING
    return valuesIn(declaration.initializer).flatMap((value) => this.of(value, bound, depth + 1))
  }

  #resolved(symbol: ts.Symbol | undefined): ts.Symbol | undefined {
    if (symbol === undefined) return undefined
    return (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : this.#checker.getAliasedSymbol(symbol)
  }
}

/** The names that a pattern takes out of an object, with what they stand for. */
function partsOf(pattern: ts.BindingPattern, value: Value): readonly (readonly [ts.Identifier, Value])[] {
  const fields = value.fields()
  return pattern.elements.flatMap((element) => {
    if (!ts.isBindingElement(element) || !ts.isIdentifier(element.name)) return []
    const field = element.propertyName ?? element.name
    const part = ts.isIdentifier(field) ? fields.get(field.text) : undefined
    return part === undefined ? [] : [[element.name, part] as const]
  })
}

const product = (firsts: readonly string[], seconds: readonly string[], end: string): readonly string[] =>
  firsts.flatMap((first) => seconds.map((second) => `${first}${second}${end}`))

const isOurs = (node: ts.Node): boolean => !node.getSourceFile().isDeclarationFile

/** What a function gives back: its expression, or that of each `return` of its own. */
function returnsOf(body: ts.Node): readonly ts.Expression[] {
  if (!ts.isBlock(body)) return ts.isExpression(body) ? [body] : []
  const found: ts.Expression[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return
    if (ts.isReturnStatement(node) && node.expression !== undefined) found.push(node.expression)
    ts.forEachChild(node, visit)
  }
  ts.forEachChild(body, visit)
  return found
}

/** The values of an object, or of the pairs that a map is made of. */
function valuesIn(node: ts.Expression | undefined): readonly ts.Expression[] {
  if (node === undefined) return []
  if (ts.isAsExpression(node) || ts.isSatisfiesExpression(node)) return valuesIn(node.expression)
  if (ts.isObjectLiteralExpression(node))
    return node.properties.filter(ts.isPropertyAssignment).map(({ initializer }) => initializer)
  const pairs = ts.isNewExpression(node) ? node.arguments?.[0] : undefined
  if (pairs === undefined || !ts.isArrayLiteralExpression(pairs)) return []
  return pairs.elements.filter(ts.isArrayLiteralExpression).flatMap(({ elements }) => elements.slice(1))
}

function superArgument({ body }: ts.ConstructorDeclaration): ts.Expression | undefined {
  for (const statement of body?.statements ?? []) {
    const call = ts.isExpressionStatement(statement) ? statement.expression : undefined
    if (call !== undefined && ts.isCallExpression(call) && call.expression.kind === ts.SyntaxKind.SuperKeyword)
      return call.arguments[0]
  }
  return undefined
}
