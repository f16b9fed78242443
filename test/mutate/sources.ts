import { join } from 'node:path'
import ts from 'typescript'

const BELOW = 'src/'

function configuration(root: string): ts.ParsedCommandLine {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config?: unknown
  }
  return ts.parseJsonConfigFileContent(config, ts.sys, root)
}

/** Everything below `src/`, as TypeScript sees it; says of a changed file whether it still compiles. */
export class Sources {
  /** From the checkout on, in order. */
  readonly files: readonly string[]
  /** Of the files as they are. */
  readonly types: ts.TypeChecker
  readonly #root: string
  readonly #service: ts.LanguageService
  readonly #sources: ReadonlyMap<string, ts.SourceFile>
  readonly #importers = new Map<string, string[]>()
  #changed: { readonly path: string; readonly text: string; readonly version: number } | undefined
  #changes = 0

  constructor(root: string) {
    this.#root = root
    const { options, fileNames } = configuration(root)
    const paths = fileNames.filter((path) => path.startsWith(join(root, BELOW))).sort()
    this.files = paths.map((path) => path.slice(root.length + 1))
    this.#service = ts.createLanguageService(this.#hostFor(paths, options))
    const program = this.#program
    this.types = program.getTypeChecker()
    this.#sources = new Map(
      this.files.flatMap((file) => {
        const source = program.getSourceFile(join(root, file))
        return source === undefined ? [] : [[file, source] as const]
      }),
    )
    this.#findImporters(options)
  }

  source(file: string): ts.SourceFile {
    const source = this.#sources.get(file)
    if (source === undefined) throw new Error(`${file} is not part of the program`)
    return source
  }

  /** Whether the file and those that import it have no error of syntax or types with this text. The program is reused but for the file. */
  compiles(file: string, text: string): boolean {
    const path = join(this.#root, file)
    this.#changed = { path, text, version: ++this.#changes }
    try {
      if (this.#service.getSyntacticDiagnostics(path).length > 0) return false
      return [path, ...(this.#importers.get(path) ?? [])].every(
        (each) => this.#service.getSemanticDiagnostics(each).length === 0,
      )
    } finally {
      this.#changed = undefined
    }
  }

  get #program(): ts.Program {
    const program = this.#service.getProgram()
    if (program === undefined) throw new Error('TypeScript has no program')
    return program
  }

  #findImporters(options: ts.CompilerOptions): void {
    for (const file of this.files)
      for (const { fileName } of ts.preProcessFile(this.source(file).text).importedFiles) {
        const path = join(this.#root, file)
        const target = ts.resolveModuleName(fileName, path, options, ts.sys).resolvedModule?.resolvedFileName
        if (target !== undefined) this.#importers.set(target, [...(this.#importers.get(target) ?? []), path])
      }
  }

  #hostFor(paths: string[], options: ts.CompilerOptions): ts.LanguageServiceHost {
    const textOf = (path: string): string | undefined =>
      this.#changed?.path === path ? this.#changed.text : ts.sys.readFile(path)
    return {
      getCompilationSettings: () => options,
      getScriptFileNames: () => paths,
      getScriptVersion: (path) => (this.#changed?.path === path ? String(this.#changed.version) : '0'),
      getScriptSnapshot: (path) => {
        const text = textOf(path)
        return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
      },
      getCurrentDirectory: () => this.#root,
      getDefaultLibFileName: (each) => ts.getDefaultLibFilePath(each),
      fileExists: (path) => ts.sys.fileExists(path),
      readFile: (path) => ts.sys.readFile(path),
      directoryExists: (path) => ts.sys.directoryExists(path),
      getDirectories: (path) => ts.sys.getDirectories(path),
    }
  }
}
