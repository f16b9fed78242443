import { BACKEND_FIELDS, fieldsOfBackend } from './backend.ts'
import { nearest } from './differences.ts'
import { isObject, sameName, type JsonObject } from './json.ts'
import { readLeniently } from './lenient.ts'
import { CONFIG_FIELDS, FAMILIES } from './network.ts'

/** Fields that are whole numbers. */
const NUMBERS = ['SubnetLen', 'IPv6SubnetLen', 'VNI', 'Port', 'MTU']

/** A level of the configuration: what stands there, and what is read there. */
interface Level {
  readonly fields: JsonObject
  readonly prefix: string
  readonly known: readonly string[]
  /** What is read at the other level, and where that is. */
  readonly elsewhere: readonly string[]
  readonly place: string
  /** What is read here with another backend, and the one that there is. */
  readonly ofOthers: readonly string[]
  readonly type: string
}

/** What is to be said of a configuration that {@link parseNetworkConfig} takes: a sentence for each, each to be said once. Pure. */
export function remarksOn(text: string, where: string): readonly string[] {
  const { json, oddities } = readLeniently(text)
  const fields = parseMarked(json)
  const levels = levelsOf(fields)
  const refusedFor = [...oddities, ...levels.flatMap(oddNumbers)].join(', ')
  const remarks = [
    ...(refusedFor === '' ? [] : [notOurs(where, refusedFor)]),
    ...levels.flatMap((level) => misplaced(where, level)),
    ...notEnabled(where, fields),
  ]
  return remarks.map(({ remark }) => remark)
}

/** Paths of all fields that nothing reads, such as `Backend.Vnii`, of a configuration that {@link parseNetworkConfig} takes. */
export const unreadFields = (text: string): readonly string[] =>
  levelsOf(parseMarked(readLeniently(text).json)).flatMap(({ fields, prefix, known }) =>
    Object.keys(fields)
      .filter((key) => !known.some((name) => sameName(key, name)))
      .map((key) => `${prefix}${key}`),
  )

/** Paths of all fields that are read and given, such as `Backend.VNI`, in the spelling of the documentation. */
export const givenFields = (text: string): readonly string[] =>
  levelsOf(parseMarked(readLeniently(text).json)).flatMap(({ fields, prefix, known }) =>
    known.filter((name) => valueOf(fields, name) !== undefined).map((name) => `${prefix}${name}`),
  )

function levelsOf(fields: JsonObject): readonly Level[] {
  const found = valueOf(fields, 'Backend')
  const backend = isObject(found) ? found : {}
  const { type, names } = fieldsOfBackend(valueOf(backend, 'Type'))
  return [
    {
      fields,
      prefix: '',
      known: CONFIG_FIELDS,
      elsewhere: BACKEND_FIELDS,
      place: 'inside of Backend',
      ofOthers: [],
      type,
    },
    {
      ...{
        fields: backend,
        prefix: 'Backend.',
        known: names,
        elsewhere: CONFIG_FIELDS,
        place: 'outside of Backend',
        type,
      },
      ofOthers: BACKEND_FIELDS,
    },
  ]
}

interface Remark {
  readonly remark: string
}

const notOurs = (where: string, reasons: string): Remark => ({
  remark: `${where} is taken as it is meant, but other programs, upstream's flanneld among them, refuse it for ${reasons}`,
})

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g
/** Before a number that is no longer one, so that its spelling is kept; nobody begins a string with it. */
const MARK = '\0number '

/** Where a number is written with a dot or an exponent, its text behind {@link MARK} stands in its place. */
function parseMarked(json: string): JsonObject {
  const marked = json.replaceAll(TOKEN, (token) =>
    token.startsWith('"') || /^-?\d+$/.test(token) ? token : JSON.stringify(MARK + token),
  )
  const value: unknown = JSON.parse(marked)
  return isObject(value) ? value : {}
}

const valueOf = (fields: JsonObject, name: string): unknown =>
  Object.entries(fields).find(([key, value]) => sameName(key, name) && value !== null)?.[1]

/** Go reads no whole number from what has a dot or an exponent (encoding/json, strconv.ParseInt). */
const oddNumbers = ({ fields, prefix, known }: Level): readonly string[] =>
  NUMBERS.filter((name) => known.includes(name)).flatMap((name) => {
    const value = valueOf(fields, name)
    const isOdd = typeof value === 'string' && value.startsWith(MARK)
    return isOdd ? [`a dot or an exponent in ${value.slice(MARK.length)} (${prefix}${name})`] : []
  })

/** Names that are read nowhere, and seem to be meant for one that is. */
const misplaced = (
  where: string,
  { fields, prefix, known, elsewhere, place, ofOthers, type }: Level,
): readonly Remark[] =>
  Object.keys(fields)
    .filter((key) => !known.some((name) => sameName(key, name)))
    .flatMap((key): readonly Remark[] => {
      if (elsewhere.some((name) => sameName(key, name)))
        return [{ remark: `${where}: ${prefix}${key} is not read: its place is ${place}` }]
      if (ofOthers.some((name) => sameName(key, name)))
        return [{ remark: `${where}: ${prefix}${key} is not read by the backend ${type}` }]
      const near = nearest(key, known)
      return near === undefined ? [] : [{ remark: `${where}: ${prefix}${key} is not read: is ${prefix}${near} meant?` }]
    })

/** A family that is off unless asked for, and has a network all the same. */
const notEnabled = (where: string, fields: JsonObject): readonly Remark[] =>
  FAMILIES.filter(
    ({ enable, enabledByDefault, network }) =>
      !enabledByDefault && valueOf(fields, enable) === undefined && valueOf(fields, network) !== undefined,
  ).map(({ enable, network }) => ({ remark: `${where}: ${network} is not read without "${enable}": true` }))
