import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { ConfigError } from '../../config/error.ts'

/**
 * The text of a file, or of standard input (`-`), as it stands there to the last octet.
 * @param source what named it, for messages
 * @throws {ConfigError} when it cannot be read, or is no text
 */
export async function readText(path: string, source: string): Promise<string> {
  const octets = path === '-' ? await readStandardInput() : await readFile(path).catch(unreadable(path, source))
  if (!isUtf8(octets)) throw new ConfigError(source, 'a text in UTF-8', path)
  return octets.toString('utf8')
}

const unreadable =
  (path: string, source: string) =>
  (error: unknown): never => {
    throw new ConfigError(source, `a file to read (${error instanceof Error ? error.message : String(error)})`, path)
  }

async function readStandardInput(): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of process.stdin) parts.push(Buffer.from(part as Uint8Array))
  return Buffer.concat(parts)
}
