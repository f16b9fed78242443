import { join } from 'node:path'
import ts from 'typescript'
import { eventCalls, type EventCall } from './event-calls.ts'
import { HOLE, Texts } from './texts.ts'

/** A text that an operator may meet, with a hole ({@link HOLE}) for whatever is known at run time only. */
export interface Message {
  readonly text: string
  /** `src/agent/runtime/retry.ts:78`. */
  readonly at: string
}

/** The whole program, as the compiler sees it. */
export class Sources {
  readonly #root: string
  readonly #program: ts.Program
  readonly #texts: Texts
  /** Of all files of `src`, in their order: each question goes through them, and there are dozens. */
  readonly #nodes: readonly ts.Node[]

  constructor(root: string) {
    this.#root = root
    const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
      config: object
    }
    const { options } = ts.parseJsonConfigFileContent({ ...config, include: ['src'] }, ts.sys, root)
    this.#program = ts.createProgram([join(root, 'src/main.ts')], options)
    this.#texts = new Texts(this.#program.getTypeChecker())
    const files = this.#program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(join(root, 'src/')))
    this.#nodes = files.flatMap(nodesOf)
  }

  /** What is said by calls of that name, by their argument of that number. */
  said(name: string, argument = 0): readonly Message[] {
    return this.#find((node) =>
      ts.isCallExpression(node) && nameOf(node.expression) === name ? this.#texts.of(node.arguments[argument]) : [],
    )
  }

  /** Calls of the log that say which event they are. */
  events(): readonly EventCall[] {
    return eventCalls(this.#program, (file) => file.startsWith(`${join(this.#root, 'src')}/`))
  }

  /** What the log says at the levels `warn` and `error`. */
  logged(): readonly Message[] {
    const checker = this.#program.getTypeChecker()
    const isLogger = (node: ts.Expression): boolean => checker.getTypeAtLocation(node).getSymbol()?.name === 'Logger'
    return this.#find((node) => {
      const callee = ts.isCallExpression(node) ? node.expression : undefined
      if (callee === undefined || !ts.isPropertyAccessExpression(callee)) return []
      const isMeant = ['warn', 'error'].includes(callee.name.text) && isLogger(callee.expression)
      return isMeant && ts.isCallExpression(node) ? this.#texts.of(node.arguments[0]) : []
    })
  }

  /** What the log says when a condition fails: what the call says, or its name and the reason; nothing where that is `false`. */
  conditions(): readonly Message[] {
    return this.#find((node) => {
      if (!ts.isCallExpression(node) || nameOf(node.expression) !== 'fails') return []
      const [what, reason, , options] = node.arguments
      if (options !== undefined && !ts.isObjectLiteralExpression(options))
        throw new TypeError(`not to be read: ${node.getText()}`)
      const says = options?.properties.find(isNamedSays)
      if (says === undefined)
        return this.#texts.of(what).flatMap((name) => this.#texts.of(reason).map((text) => `${name}: ${text}`))
      if (ts.isShorthandPropertyAssignment(says)) return this.#texts.ofShorthand(says)
      if (!ts.isPropertyAssignment(says)) throw new TypeError(`not a text: ${says.getText()}`)
      return says.initializer.kind === ts.SyntaxKind.FalseKeyword ? [] : this.#texts.of(says.initializer)
    })
  }

  /** Messages of the errors of a class, wherever one is made. */
  errors(className: string): readonly Message[] {
    return this.#find((node) => (isMaking(node, className) ? this.#texts.ofError(node) : []))
  }

  /** What the errors of a configuration say, but for what was found. */
  configErrors(): readonly Message[] {
    return this.#find((node) => {
      if (!isMaking(node, 'ConfigError')) return []
      const [path, expected] = node.arguments ?? []
      const paths = new Set(this.#texts.of(path).map((text) => text.replace(/…(\.…)+/, HOLE)))
      return [...paths].flatMap((text) =>
        this.#texts.of(expected).map((rule) => `${text}: expected ${rule}, found ${HOLE}`),
      )
    })
  }

  /** What fields of that name are made to say. */
  fields(name: string): readonly Message[] {
    return this.#find((node) => {
      if (ts.isShorthandPropertyAssignment(node) && node.name.text === name) return this.#texts.ofShorthand(node)
      const isMeant = ts.isPropertyAssignment(node) && ts.isIdentifier(node.name) && node.name.text === name
      return isMeant ? this.#texts.of(answerOf(node.initializer)) : []
    })
  }

  /** What is assigned to a field of that name. */
  assigned(name: string): readonly Message[] {
    return this.#find((node) =>
      ts.isBinaryExpression(node) && ASSIGNMENTS.has(node.operatorToken.kind) && nameOf(node.left) === name
        ? this.#texts.of(node.right)
        : [],
    )
  }

  #find(textsOf: (node: ts.Node) => readonly string[]): readonly Message[] {
    return this.#nodes.flatMap((node) => {
      const texts = textsOf(node)
      if (texts.length === 0) return []
      const at = this.#placeOf(node)
      return texts.map((text) => ({ text, at }))
    })
  }

  #placeOf(node: ts.Node): string {
    const file = node.getSourceFile()
    const line = file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1
    return `${file.fileName.slice(this.#root.length + 1)}:${line}`
  }
}

function nodesOf(file: ts.SourceFile): readonly ts.Node[] {
  const nodes: ts.Node[] = []
  const visit = (node: ts.Node): void => {
    nodes.push(node)
    ts.forEachChild(node, visit)
  }
  visit(file)
  return nodes
}

const ASSIGNMENTS: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.EqualsToken,
  ts.SyntaxKind.QuestionQuestionEqualsToken,
])

const isNamedSays = ({ name }: ts.ObjectLiteralElementLike): boolean =>
  name !== undefined && ts.isIdentifier(name) && name.text === 'says'

const isMaking = (node: ts.Node, className: string): node is ts.NewExpression =>
  ts.isNewExpression(node) && node.expression.getText() === className

const nameOf = (node: ts.Expression): string | undefined =>
  ts.isPropertyAccessExpression(node) ? node.name.text : ts.isIdentifier(node) ? node.text : undefined

/** What a function answers that is one expression; else the expression itself. */
const answerOf = (node: ts.Expression): ts.Expression =>
  ts.isArrowFunction(node) && !ts.isBlock(node.body) ? node.body : node
