import { configFacts, type ConfigFact } from '../../admin/config-facts.ts'
import { consequences, type Consequences } from '../../admin/consequences.ts'
import { showFacts, showText, undoingSet } from '../../admin/show/config.ts'
import { sayConsequences, sayOutside } from '../../admin/show/consequences.ts'
import type { CommandCall } from '../../cli/commands.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { CONFIG, CONFIG_CREATE, CONFIG_FORCE, CONFIG_YES } from '../../cli/specs/config.ts'
import { ConfigError } from '../../config/error.ts'
import { parseNetworkConfig } from '../../config/network.ts'
import type { EtcdAccess } from '../../config/options.ts'
import { remarksOn, unreadFields } from '../../config/remarks.ts'
import type { EtcdLeaseStore } from '../../etcd/etcd-lease-store.ts'
import { refuseUnnamed } from '../../etcd/subnets/etcd-subnet-manager.ts'
import type { ConfigRecord, LeaseRecord } from '../../lease/store.ts'
import { asJson, asking, type Asking, type Said } from '../asking/asking.ts'
import { askPerson, requirePerson } from '../asking/person.ts'
import { daemonSettings } from '../settings/daemon-settings.ts'
import { refuseKubernetes } from '../settings/open-kube.ts'
import { withStore } from '../settings/open-store.ts'
import { readText } from '../settings/read-text.ts'
import { nothingThere, placeOf, sayTo, type Place } from './place.ts'

const VERBS = ['get', 'validate', 'diff', 'set'] as const
type Verb = (typeof VERBS)[number]

/** `flanneld config`. */
export const run = (call: CommandCall): Promise<number> => asking(CONFIG, call, config)

async function config(asked: Asking): Promise<Said> {
  const [word = '', file] = asked.operands
  const verb = VERBS.find((one) => one === word)
  if (verb === undefined) throw new ConfigError('arguments', VERBS.join(', '), word)
  if ((verb === 'get') !== (file === undefined))
    throw new ConfigError(
      `config ${verb}`,
      verb === 'get' ? 'nothing behind it' : 'a file, or - for standard input',
      file,
    )
  if (verb === 'set') requirePerson('set', asked.value(CONFIG_YES), file === '-')
  const text = file === undefined ? undefined : await readText(file, `config ${verb}`)
  if (text !== undefined) refuseUnnamed(parseNetworkConfig(text, file))
  const { options, from } = daemonSettings(asked.own)
  if (verb !== 'validate')
    refuseKubernetes(
      options,
      `config ${verb}`,
      `the configuration is the file ${options.kube?.netConfigPath ?? ''}, of a ConfigMap most often (kubectl edit configmap)`,
    )
  const place = placeOf(options.etcd, from)
  if (verb === 'validate')
    return validate(asked, text ?? '', file ?? '', () =>
      options.kube === undefined ? readLeases(asked, options.etcd, from) : Promise.resolve(undefined),
    )
  return withStore({ ...options, from }, sayTo(asked), async (store) => {
    const standing = await store.readConfig(asked.signal)
    const { records } = await store.list(asked.signal)
    if (verb === 'get') return get(asked, standing, place)
    return change(verb, { asked, store, place, standing, records, text: text ?? '', file: file ?? '' })
  })
}

const keyOf = ({ prefix }: Place): string => `${prefix}/config`

function get(asked: Asking, standing: ConfigRecord | undefined, place: Place): Said {
  if (standing === undefined) {
    asked.complain(`there is no configuration: ${nothingThere(place)}`)
    return { text: '', code: EXIT.failed }
  }
  const { value, modRevision } = standing
  const source = keyOf(place)
  const meant = meaning(value)
  const remarks = 'problem' in meant ? [] : sayAll(asked, value, source)
  if ('problem' in meant) asked.complain(`agents do not take what stands at ${source}: ${meant.problem}`)
  const document = { version: 1, source, revision: String(modRevision), text: value, problem: null, fields: null }
  const shown = 'problem' in meant ? showText(value) : showFacts(meant.fields, asked.terminal)
  return {
    text: asked.isJson
      ? asJson({ ...document, ...meant, remarks })
      : `${place.words}, written at revision ${modRevision}\n\n${shown}`,
    code: 'problem' in meant ? EXIT.failed : EXIT.done,
  }
}

/** What a configuration that somebody has written means, or why it means nothing. */
function meaning(text: string): { readonly fields: readonly ConfigFact[] } | { readonly problem: string } {
  try {
    return { fields: configFacts(text) }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { problem: error.message }
  }
}

/** What of a configuration is to be said though agents take it. */
function sayAll(asked: Asking, text: string, what: string): readonly string[] {
  const remarks = remarksOn(text, what)
  const named = unreadFields(text).filter((path) => !remarks.some((remark) => remark.includes(`${path} is not read`)))
  const all = [...remarks, ...named.map((path) => `${what}: ${path} is not read: there is no such field`)]
  all.forEach(sayTo(asked))
  return all
}

async function validate(
  asked: Asking,
  text: string,
  file: string,
  readLeases: () => Promise<readonly LeaseRecord[] | undefined>,
): Promise<Said> {
  const remarks = sayAll(asked, text, file)
  const records = await readLeases()
  const outside = consequences(undefined, text, records ?? []).outside
  const fields = configFacts(text)
  const said = sayOutside({ outside }).map((line) => `${line}\n`)
  const leases = records === undefined ? 'whether leases lie outside is not known' : 'no lease lies outside'
  const shown = `${file} is a configuration that agents take; ${outside.length > 0 ? '' : leases}\n${said.join('')}\n${showFacts(fields, asked.terminal)}`
  const document = { version: 1, fields, remarks, outside: records === undefined ? null : outside }
  const isFine = remarks.length === 0 && outside.length === 0
  return { text: asked.isJson ? asJson(document) : shown, code: isFine ? EXIT.done : EXIT.failed }
}

/** A file is valid without an etcd, too. */
async function readLeases(asked: Asking, etcd: EtcdAccess, from: string): Promise<readonly LeaseRecord[] | undefined> {
  const found: { records?: readonly LeaseRecord[] } = {}
  await withStore({ etcd, from }, sayTo(asked), async (store) => {
    found.records = (await store.list(asked.signal)).records
    return { text: '', code: EXIT.done }
  })
  return found.records
}

interface Change {
  readonly asked: Asking
  readonly store: EtcdLeaseStore
  readonly place: Place
  readonly standing: ConfigRecord | undefined
  readonly records: readonly LeaseRecord[]
  readonly text: string
  readonly file: string
}

async function change(verb: Exclude<Verb, 'get' | 'validate'>, input: Change): Promise<Said> {
  const { asked, place, standing, records, text, file } = input
  const remarks = sayAll(asked, text, file)
  const found = consequences(standing?.value, text, records)
  const lines = sayConsequences(found, file).map((line) => `${line}\n`)
  if (verb === 'diff') {
    const document = { version: 1, ...found, instead: found.instead ?? null, remarks }
    return {
      text: asked.isJson ? asJson(document) : lines.join(''),
      code: found.isSame && remarks.length === 0 ? EXIT.done : EXIT.failed,
    }
  }
  if (standing?.value === text)
    return { text: 'it stands there already, octet by octet: nothing to write\n', code: EXIT.done }
  const refusal = refusalOf(input, found)
  if (refusal !== undefined) {
    asked.complain(refusal)
    return { text: lines.join(''), code: EXIT.failed }
  }
  if (!asked.value(CONFIG_YES)) {
    process.stderr.write(lines.join(''))
    if (!(await askPerson(`Write it to ${place.words}? [y/N] `, asked.signal))) {
      asked.complain('nothing is written')
      return { text: '', code: EXIT.failed }
    }
  }
  return write(input, asked.value(CONFIG_YES) ? lines : [])
}

function refusalOf({ asked, standing, records, text, place }: Change, found: Consequences): string | undefined {
  if (standing === undefined && records.length === 0 && !asked.value(CONFIG_CREATE))
    return `nothing is written: ${nothingThere(place)}. With --create the first configuration is written`
  if (asked.value(CONFIG_FORCE)) return undefined
  const unread = unreadFields(text)
  if (unread.length > 0)
    return `nothing is written: nothing reads ${unread.join(', ')}. With --force it is written all the same`
  if (found.outside.length > 0)
    return `nothing is written: ${sayOutside(found).join('')}. With --force it is written all the same`
  return undefined
}

async function write({ asked, store, place, standing, text }: Change, lines: readonly string[]): Promise<Said> {
  const result = await store.writeConfig(standing, text, asked.signal)
  if (!result.ok) {
    const now =
      result.found === undefined ? 'it is gone' : `it was written again, at revision ${result.found.modRevision}`
    asked.complain(
      `nothing is written: the configuration has changed since it was read: ${now}. flanneld config diff compares with it`,
    )
    return { text: '', code: EXIT.failed }
  }
  const done = `written to ${place.words} at revision ${result.record.modRevision}\n`
  const document = {
    version: 1,
    written: true,
    key: keyOf(place),
    revision: String(result.record.modRevision),
    before: standing?.value ?? null,
  }
  const said = [...lines, done, undoingSet(standing?.value, keyOf(place))].join('')
  return { text: asked.isJson ? asJson(document) : said, code: EXIT.done }
}
