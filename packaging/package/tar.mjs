const BLOCK = 512
const TYPES = { file: '0', link: '2', directory: '5' }
const NAME_LENGTH = 100
const PREFIX_LENGTH = 155

/**
 * A tar archive (POSIX ustar) whose bytes depend on its entries alone: owner root, sorted by path, every time the same.
 * @param entries `{ path, mode, content }` for a file, `{ path, target }` for a symbolic link, `{ path, mode }` for a directory
 * @param seconds time of every entry, since 1970
 */
export function tar(entries, seconds) {
  const paths = new Set(entries.map(({ path }) => path))
  if (paths.size !== entries.length) throw new Error('tar: a path occurs twice')
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : 1))
  const blocks = sorted.flatMap((entry) => [header(entry, seconds), ...body(entry.content)])
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)])
}

/** Directories above all entries that are not entries themselves, mode 0755. */
export function withDirectories(entries) {
  const given = new Set(entries.map(({ path }) => path))
  const missing = new Set(entries.flatMap(({ path }) => above(path)).filter((path) => !given.has(path)))
  return [...entries, ...[...missing].map((path) => ({ path, mode: 0o755 }))]
}

function above(path) {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}

function body(content) {
  if (content === undefined) return []
  const bytes = Buffer.from(content)
  return [bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]
}

function kindOf({ content, target }) {
  if (target !== undefined) return 'link'
  return content === undefined ? 'directory' : 'file'
}

function header(entry, seconds) {
  const kind = kindOf(entry)
  const block = Buffer.alloc(BLOCK)
  const [prefix, name] = split(kind === 'directory' ? `${entry.path}/` : entry.path)
  const octal = (value, length) => `${value.toString(8).padStart(length - 1, '0')}\0`
  const put = (text, at) => block.write(text, at, 'utf8')
  put(name, 0)
  put(octal(kind === 'link' ? 0o777 : entry.mode, 8), 100)
  put(octal(0, 8), 108)
  put(octal(0, 8), 116)
  put(octal(kind === 'file' ? Buffer.byteLength(entry.content) : 0, 12), 124)
  put(octal(seconds, 12), 136)
  put(' '.repeat(8), 148)
  put(TYPES[kind], 156)
  put(shortEnough(entry.target ?? '', entry.path), 157)
  put('ustar\x0000root', 257)
  put('root', 297)
  put(prefix, 345)
  put(
    `${octal(
      block.reduce((sum, byte) => sum + byte, 0),
      7,
    )} `,
    148,
  )
  return block
}

function shortEnough(text, path) {
  if (Buffer.byteLength(text) > NAME_LENGTH) throw new Error(`tar: too long in ${path}: ${text}`)
  return text
}

/** A path as prefix and name, divided at a slash where it is longer than a name may be. */
function split(path) {
  if (Buffer.byteLength(path) <= NAME_LENGTH) return ['', path]
  const at = path.lastIndexOf('/', PREFIX_LENGTH)
  const parts = [path.slice(0, at), path.slice(at + 1)]
  if (at < 1 || Buffer.byteLength(parts[1]) > NAME_LENGTH) throw new Error(`tar: path too long: ${path}`)
  return parts
}
