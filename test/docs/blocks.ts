import { readdirSync, readFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const FOLDERS = ['docs', 'packaging', 'vagrant']

/** One command of a document, as a reader would type it. */
export interface DocCommand {
  /** `docs/install.md`. */
  readonly page: string
  /** From 1. */
  readonly line: number
  /** Without the prompt; of several lines when it goes on behind a backslash. */
  readonly text: string
  /** What the document shows after it. */
  readonly output: readonly string[]
}

/** Where the commands of a block are run: a comment before the block says so, which readers do not see. */
export interface Place {
  readonly scene: string
  readonly hosts: readonly string[]
}

/** A block of commands with their prompts. */
export interface DocBlock {
  readonly page: string
  readonly line: number
  readonly place: Place | undefined
  readonly commands: readonly DocCommand[]
}

const OPENING = '```console'
const CLOSING = '```'
/** `<!-- run: quick-start on host-one, host-two -->` */
const PLACE = /^<!-- run: (\S+) on (\S+(?:, \S+)*) -->$/
const PROMPT = /^[#$] /

/** Every page that may hold commands. */
export function pagesWithCommands(): readonly string[] {
  const pages = FOLDERS.filter((folder) => existsSync(join(ROOT, folder))).flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`),
  )
  return ['README.md', ...pages.sort()]
}

export const blocksOf = (page: string): readonly DocBlock[] => parseBlocks(page, readFileSync(join(ROOT, page), 'utf8'))

/** The blocks of a text in Markdown that begin with {@link OPENING}. */
export function parseBlocks(page: string, text: string): readonly DocBlock[] {
  const blocks: DocBlock[] = []
  const lines = text.split('\n')
  for (let at = lines.indexOf(OPENING); at >= 0; at = lines.indexOf(OPENING, at + 1)) {
    const end = lines.indexOf(CLOSING, at)
    blocks.push({
      page,
      line: at + 1,
      place: placeOf(lines[at - 1] ?? ''),
      commands: parseCommands(page, at + 2, lines.slice(at + 1, end)),
    })
  }
  return blocks
}

function placeOf(line: string): Place | undefined {
  const [, scene, hosts] = PLACE.exec(line) ?? []
  return scene === undefined || hosts === undefined ? undefined : { scene, hosts: hosts.split(', ') }
}

function parseCommands(page: string, firstLine: number, lines: readonly string[]): readonly DocCommand[] {
  const commands: { page: string; line: number; text: string; output: string[] }[] = []
  let isContinued = false
  lines.forEach((line, at) => {
    const last = commands.at(-1)
    if (PROMPT.test(line)) commands.push({ page, line: firstLine + at, text: line.slice(2), output: [] })
    else if (isContinued && last !== undefined) last.text += `\n${line}`
    else if (last !== undefined) last.output.push(line)
    else throw new Error(`${page}:${firstLine + at}: a block of commands begins with a prompt, "# " or "$ "`)
    isContinued = line.endsWith('\\')
  })
  return commands
}
