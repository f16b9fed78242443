import { parseArgs } from 'node:util'
import { PROFILES, type ProfileName } from './profile/names.ts'

/** What the bench is asked for. */
export interface Options {
  /** Rows by name; all when empty. */
  readonly only: readonly string[]
  /** Peers to measure whole processes with. */
  readonly sizes: readonly number[]
  readonly runs: number
  /** Short: fewer runs, smaller sizes, and what is watched for a while is watched for seconds. */
  readonly isQuick: boolean
  readonly json: boolean
  /** A file that gets the JSON, whatever is printed. */
  readonly out: string | undefined
  /** Write the figures into docs/performance.md, and the plots. */
  readonly document: boolean
  /** A file of figures of an earlier run, in place of measuring. */
  readonly from: string | undefined
  /** Profile this in place of measuring. */
  readonly profile: ProfileName | undefined
}

export const USAGE = `usage: npm run bench [-- OPTIONS]
  --quick          smaller sizes and fewer runs, in less than a minute
  --only ROW       this row alone; may be given several times
  --udp            the row of the udp backend alone, which is measured only where it is asked for
  --peers N        whole processes with N peers, in place of 1, 1 000, 10 000 and 60 000; may be given several times
  --runs N         how often each figure is taken; 5 by default
  --json           JSON on standard output, in place of a table
  --out FILE       JSON in a file too
  --document       write the figures and the plots into docs/
  --from FILE      figures of an earlier run, in place of measuring
  --profile start  where the processor time of a start goes, in place of figures; with 10 000 peers, if --peers says nothing else
  --profile turns  which turns of the event loop are the longest, in a start and until it is over
  --profile rest   what is in the memory of an agent at rest, by constructor`

export class UsageError extends Error {
  override readonly name = 'UsageError'
}

const FULL = { sizes: [1, 1_000, 10_000, 60_000], runs: 5 } as const
const QUICK = { sizes: [1, 1_000], runs: 2 } as const

function wholeNumber(text: string, flag: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 60_000)
    throw new UsageError(`${flag} is a whole number from 1 to 60000, not "${text}"`)
  return value
}

function profileName(text: string): ProfileName {
  const name = PROFILES.find((each) => each === text)
  if (name === undefined) throw new UsageError(`--profile is one of ${PROFILES.join(', ')}, not "${text}"`)
  return name
}

/** @throws {UsageError} */
export function parseOptions(args: readonly string[], rows: readonly string[]): Options {
  const { values } = readArguments(args)
  const defaults = values.quick ? QUICK : FULL
  const only = [...(values.only ?? []), ...(values.udp ? ['udp'] : [])]
  const unknown = only.find((name) => !rows.includes(name))
  if (unknown !== undefined) throw new UsageError(`there is no row "${unknown}", only ${rows.join(', ')}`)
  return {
    only,
    sizes: values.peers?.map((text) => wholeNumber(text, '--peers')) ?? (values.profile ? [10_000] : defaults.sizes),
    runs: values.runs === undefined ? defaults.runs : wholeNumber(values.runs, '--runs'),
    isQuick: values.quick,
    json: values.json,
    out: values.out,
    document: values.document,
    from: values.from,
    profile: values.profile === undefined ? undefined : profileName(values.profile),
  }
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true },
        udp: { type: 'boolean', default: false },
        peers: { type: 'string', multiple: true },
        runs: { type: 'string' },
        json: { type: 'boolean', default: false },
        out: { type: 'string' },
        document: { type: 'boolean', default: false },
        from: { type: 'string' },
        profile: { type: 'string' },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
