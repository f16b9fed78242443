/** What esbuild writes above the text of each module. */
const MODULE = /^ *\/\/ ((?:src|node_modules)\/\S+)$/

/** Of a bundle: by number of a line, counted from 0, the source file that it came from; empty where that is not known. */
export function sourceLines(bundle: string): (line: number) => string {
  const starts = bundle.split('\n').flatMap((text, line) => {
    const [, file] = MODULE.exec(text) ?? []
    return file === undefined ? [] : [{ line, file }]
  })
  return (line) => starts.findLast((start) => start.line <= line)?.file ?? ''
}
