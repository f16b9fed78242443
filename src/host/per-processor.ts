/**
 * The sum of a column over all processors, of a file of /proc/net/stat: a line of names, then one of hexadecimal numbers for each processor
 * (lnstat(8)). Undefined: there is no such column, as before the kernel that brought it. Pure.
 */
export function sumOfColumn(text: string, name: string): number | undefined {
  const [header = '', ...lines] = text.split('\n')
  const at = header.trim().split(/\s+/).indexOf(name)
  if (at < 0) return undefined
  return lines.reduce((sum, line) => sum + (Number.parseInt(line.trim().split(/\s+/)[at] ?? '0', 16) || 0), 0)
}
