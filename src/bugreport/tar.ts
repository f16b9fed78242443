/** A file of an archive. */
export interface ArchiveFile {
  /** ASCII, of at most 100 octets. */
  readonly path: string
  readonly text: string
}

const BLOCK = 512
/** Of whoever unpacks it, and nobody else's. */
const MODE = 0o600

/** An archive of text files in the format ustar (POSIX pax, "ustar Interchange Format"). @param seconds since 1970, of all files */
export function tar(files: readonly ArchiveFile[], seconds: number): Buffer {
  const blocks = files.flatMap(({ path, text }) => {
    const content = Buffer.from(text, 'utf8')
    const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)
    return [header(path, content.length, seconds), content, padding]
  })
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)])
}

function header(path: string, size: number, seconds: number): Buffer {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`
  block.write(path, 0, 100, 'ascii')
  block.write(octal(MODE, 7) + octal(0, 7) + octal(0, 7), 100, 'ascii')
  block.write(octal(size, 11) + octal(Math.floor(seconds), 11), 124, 'ascii')
  block.write('        0', 148, 'ascii') // the checksum counts as eight spaces; type 0: a file
  block.write('ustar\x0000', 257, 'ascii')
  const sum = block.reduce((total, octet) => total + octet, 0)
  block.write(`${octal(sum, 6)} `, 148, 'ascii')
  return block
}
