import type { Journal } from './journal.ts'
import type { Activity } from './stillness.ts'

/** Runs a program to its end. @returns its standard output */
export type RunProgram = (
  tool: string,
  args: readonly string[],
  input: string,
  signal: AbortSignal,
  mostBytes?: number,
) => Promise<string>

/** Runs the firewall's programs as far as they only read, each once: what they say is of one moment. */
export function plannedPrograms(run: RunProgram, journal: Journal, activity: Activity): RunProgram {
  const answers = new Map<string, Promise<string>>()
  return (tool, args, input, signal, mostBytes) => {
    if (!isReading(tool, args)) {
      journal.add({ on: 'program', tool, args, input })
      return Promise.resolve('')
    }
    const question = JSON.stringify([tool, args, input])
    const answer = answers.get(question) ?? activity.during(run(tool, args, input, signal, mostBytes))
    answers.set(question, answer)
    return answer
  }
}

/** `iptables-save`, `nft list`, `iptables --version`; whatever else there is counts as writing. */
const isReading = (tool: string, args: readonly string[]): boolean =>
  tool.endsWith('-save') || (tool === 'nft' && args.includes('list')) || args.includes('--version')

type SettingName = readonly string[]

/** The kernel's settings, as they are and as they are planned. */
export interface Settings {
  /** Undefined: there is no such setting. */
  readonly read: (name: SettingName) => Promise<string | undefined>
  readonly set: (name: SettingName, value: string) => Promise<void>
}

/** Where a setting of an interface stands, one of all of them stands as well: it tells whether there is such a setting at all. */
const CONF = 3

/** @param isPlanned whether a link of that name is to be made, whose settings are not there yet */
export function plannedSettings(
  read: Settings['read'],
  isPlanned: (link: string) => boolean,
  journal: Journal,
  activity: Activity,
): Settings {
  const set = new Map<string, string>()
  const keyOf = (name: SettingName): string => name.join('/')
  const ofHost = (name: SettingName): Promise<string | undefined> =>
    isPlanned(name[CONF] ?? '') ? Promise.resolve(undefined) : activity.during(read(name))
  const standing = async (name: SettingName): Promise<string | undefined> =>
    set.get(keyOf(name)) ?? (await ofHost(name))
  return {
    read: standing,
    set: async (name, value) => {
      const found = await standing(name)
      if (found === value) return
      if (
        found === undefined &&
        !(isPlanned(name[CONF] ?? '') && (await standing(name.with(CONF, 'all'))) !== undefined)
      )
        throw Object.assign(new Error(`no such setting: ${name.join('.')}`), { code: 'ENOENT' })
      set.set(keyOf(name), value)
      journal.add({ on: 'setting', name, value })
    },
  }
}
