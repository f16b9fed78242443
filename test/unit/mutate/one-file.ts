import ts from 'typescript'

const NAME = '/one.ts'
const OPTIONS: ts.CompilerOptions = {
  strict: true,
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2022.d.ts'],
  types: [],
}

const host = ts.createCompilerHost(OPTIONS)
/** The library, read once. */
const library = new Map<string, ts.SourceFile | undefined>()

function libraryFile(name: string, language: ts.ScriptTarget | ts.CreateSourceFileOptions): ts.SourceFile | undefined {
  if (!library.has(name)) library.set(name, host.getSourceFile(name, language))
  return library.get(name)
}

export interface OneFile {
  readonly source: ts.SourceFile
  readonly types: ts.TypeChecker
}

/** A program of one file. */
export function oneFile(text: string): OneFile {
  const source = ts.createSourceFile(NAME, text, ts.ScriptTarget.ES2022, true)
  const program = ts.createProgram([NAME], OPTIONS, {
    ...host,
    getSourceFile: (name, language) => (name === NAME ? source : libraryFile(name, language)),
  })
  return { source, types: program.getTypeChecker() }
}
