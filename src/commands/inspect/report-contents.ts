import { open } from 'node:fs/promises'
import { REPORT_DOCUMENTS, REPORT_FILES, REPORT_TOOLS, type ReportTool } from '../../bugreport/contents.ts'
import type { ArchiveFile } from '../../bugreport/tar.ts'
import { ConfigError } from '../../config/error.ts'
import { runTool } from '../../firewall/command.ts'
import { FirewallError } from '../../kernel/firewall.ts'
import { askText } from '../../status/client/ask.ts'
import { AgentAnswerError, AgentAwayError } from '../../status/client/errors.ts'
import type { Asking } from '../asking/asking.ts'
import { daemonSettings } from '../settings/daemon-settings.ts'
import { examineHost } from '../examine/doctor.ts'
import { listStore } from '../settings/list-store.ts'
import { lookWithoutAgent } from './without-agent.ts'

/** Of one output or file, so much is kept, in octets: an archive of more than some megabytes is sent to nobody. */
const MOST_BYTES = 16 * 1024 * 1024

/** Everything, with secrets still in it; what could not be asked is a file that says why. */
export async function collect(asked: Asking, say: (what: string) => void): Promise<readonly ArchiveFile[]> {
  const files: ArchiveFile[] = [{ path: 'about.txt', text: aboutText(asked) }]
  const add = async (path: string, text: Promise<string>): Promise<void> => {
    say(path)
    files.push({ path, text: await text.catch(problemOf) })
  }
  const isHere = await documentsTo(add, asked)
  if (!isHere) await add('without-agent.json', lookWithoutAgent('see status.json', asked).then(asText))
  await add('doctor.json', examineHost(asked).then(asText))
  await add('leases.json', leasesOf(asked))
  for (const [path, file] of [...REPORT_FILES, ...subnetFile(asked)]) await add(file, readText(path))
  for (const tool of REPORT_TOOLS) await add(tool.file, outputOf(tool, asked.signal))
  return files
}

/** @returns false where no agent answers: one that hangs is not waited for again and again */
async function documentsTo(
  add: (file: string, text: Promise<string>) => Promise<void>,
  asked: Asking,
): Promise<boolean> {
  for (const [path, file] of REPORT_DOCUMENTS) {
    const answer = askText(path, asked)
    await add(file, answer)
    const isAway = await answer.then(
      () => false,
      (error: unknown) => error instanceof AgentAwayError,
    )
    if (isAway) return false
  }
  return true
}

const aboutText = ({ call }: Asking): string =>
  `flanneld ${call.version}\nNode.js ${process.version} on ${process.platform}-${process.arch}\nwritten ${new Date().toISOString()}\n`

const asText = (document: object): string => `${JSON.stringify(document, undefined, 2)}\n`

/** Begins what stands in a file instead of what should. */
const PROBLEM = 'could not be had: '

function problemOf(error: unknown): string {
  const isKnown = [AgentAwayError, AgentAnswerError, FirewallError, ConfigError].some((kind) => error instanceof kind)
  if (error instanceof Error && (isKnown || 'code' in error)) return `${PROBLEM}${error.message}\n`
  return `${PROBLEM}${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`
}

async function leasesOf({ own, signal }: Asking): Promise<string> {
  const look = await listStore(own, signal)
  if (look.is === 'away') return `${PROBLEM}${look.endpoints}: ${look.problem}\n`
  const leases = look.records.map((record) => ({
    ...record,
    ...{ createRevision: String(record.createRevision), modRevision: String(record.modRevision) },
  }))
  return asText({ store: look.name, endpoints: look.endpoints, leases })
}

function subnetFile({ own }: Asking): readonly (readonly [string, string])[] {
  try {
    return [[daemonSettings(own).options.subnetFile, 'subnet.env.txt']]
  } catch {
    return [] // the settings are wrong, which leases.json says
  }
}

async function readText(path: string): Promise<string> {
  const file = await open(path)
  try {
    const buffer = Buffer.alloc(MOST_FILE_BYTES)
    const { bytesRead } = await file.read(buffer, 0, MOST_FILE_BYTES)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}
const MOST_FILE_BYTES = 256 * 1024

async function outputOf({ command: [program, ...args] }: ReportTool, signal: AbortSignal): Promise<string> {
  const output = await runTool(program, args, '', signal, MOST_BYTES)
  return `# ${[program, ...args].join(' ')}\n${output}`
}
