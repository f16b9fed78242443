import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { HOLE } from './troubleshooting/texts.ts'
import { Sources, type Message } from './troubleshooting/messages.ts'

const ROOT = join(import.meta.dirname, '../..')
const HEALTH = readFileSync(join(ROOT, 'docs/health.md'), 'utf8')
const GUIDE = readFileSync(join(ROOT, 'docs/troubleshooting.md'), 'utf8')

/** Errors whose message comes into the log, or onto standard error, of a running agent. */
const ERRORS = [
  ...[
    'StoreError',
    'KernelError',
    'NoInterfaceError',
    'DeviceError',
    'DeviceConflictError',
    'OutOfSubnetsError',
    'RivalError',
  ],
  ...[
    'CloneError',
    'LeaseContentionError',
    'FirewallError',
    'PeerFilterError',
    'NoIdentityError',
    'UnreadIdentityError',
    'HostTakenError',
    'NoRightsError',
  ],
  ...['NoRegularFileError', 'ForeignLinkError', 'AddonError', 'BrokenAnswer', 'InTheWay'],
]

/** Other commands than the agent: what they say is said to whoever has called them. */
const ELSEWHERE =
  /^src\/(cli|cni|docker|cleanup|plan|admin|commands\/(cleanup|cni|install-cni|docker-opts|output|asking|look|inspect|settings|store|planning|page|examine\/peer-named)|host\/files\/atomic-copy)\b/

/** Texts that say little by themselves: what stands in their holes is made, and looked for, elsewhere. */
const COMPOSED: Readonly<Record<string, string>> = {
  '…': 'another error of the list, whole',
  '…: …; retrying …': 'what is waited for, and the error that keeps us from it',
  'lease …: …; forwarding goes on': 'the same, and an error of etcd',
  'lease …': 'what the keeper of the lease has to say',
  '…: … (…)': 'what was asked of etcd, where, and what an attempt to connect came to',
  '… (…)': 'an error of etcd, and what its connection died of',
  '…: …': 'what was asked of etcd, perhaps where, and its words',
  '… …: … (E…)': 'what was asked of the kernel, and its words',
  '…: … (E…)': 'the same',
  '… …: E… (E…)': 'the same, of an error without words',
  '…: E… (E…)': 'the same',
  '… …: …': 'a TUN device or a socket that was asked for, and the name of the error',
  '… …: EIO': 'the same, of an error without a name',
  FlannelIsUp: 'the reason of a condition of our Node, which Kubernetes reads',
}

/** Everything that can come into the log at `warn` or above, with the parts that it is put together of. */
function messagesOf(sources: Sources): readonly Message[] {
  return [
    ...sources.logged(),
    ...sources.conditions(),
    ...ERRORS.flatMap((name) => sources.errors(name)),
    ...sources.configErrors(),
    ...[...sources.said('untilItWorks'), ...sources.fields('name').filter(isLook)].map(asRetried),
    ...sources.said('storeError', 2),
    ...sources.said('said'),
    ...sources.said('refusal', 3),
    ...sources.said('say').filter(({ at }) => at.startsWith('src/host/')),
    ...sources.said('complain'),
    ...sources.said('remark').filter(({ at }) => at.startsWith('src/commands/daemon.ts')),
    ...sources.said('onFailure'),
    ...sources.said('add').filter(({ at }) => at.startsWith('src/lease/acquire/acquisition.ts')),
    ...sources.said('push').filter(({ at }) => at.startsWith('src/kube/subnets/kube-subnet-manager.ts')),
    ...sources.said('warn').filter(({ at }) => at.startsWith('src/lease/acquire/proofs.ts')),
    ...sources
      .said('onState', 1)
      .map(({ text, at }) => ({ text: `lease ${text}`, at }))
      .filter(isNoGoodNews),
    ...sources.said('#try', 1).map(({ text, at }) => ({ text: `lease ${text}: …; forwarding goes on`, at })),
    ...sources.said('makeWay'),
    ...sources.assigned('#lost'),
    ...sources.said('rejectedFor', 1),
    ...sources.fields('words').filter(isDispute).flatMap(asLost),
    ...sources.fields('reason'),
    ...sources.fields('remark'),
    ...sources.fields('saying').map(asFault),
    ...sources.said('wrong', 1).map(({ text, at }) => ({ text: `…: expected ${text} in the file, found …`, at })),
  ].filter(({ at }) => !ELSEWHERE.test(at))
}

/** Tasks that look again and again, and say their name when they cannot. */
const isLook = ({ at }: Message): boolean => /^src\/agent\/datapath\/link-task\.ts/.test(at)
const asRetried = ({ text, at }: Message): Message => ({ text: `${text}: …; retrying …`, at })
const asFault = ({ text, at }: Message): Message => ({ text: `…: ${text} (…)`, at })
/** What one lease claims in vain because of another: up to the name of that. */
const isDispute = ({ at }: Message): boolean => at.startsWith('src/lease/peers/claims.ts')
const asLost = ({ text, at }: Message): readonly Message[] =>
  ['which claimed it before', 'whose lease still stands'].map((why) => ({ text: `${text} …, ${why}`, at }))
const isNoGoodNews = ({ text }: Message): boolean => text !== 'lease renewed again'

/** The names of all conditions that there can be. */
const conditionsOf = (sources: Sources): readonly string[] =>
  [
    ...[...sources.said('fails'), ...sources.said('untilItWorks'), ...sources.said('#follow')],
    ...sources.fields('name').filter(isLook),
  ].flatMap(({ text }) => (text === HOLE ? [] : [text]))

/** The rows of the guide's tables of messages, with the messages that stand in code spans of each column. */
const ROWS: readonly (readonly (readonly string[])[])[] = (GUIDE.split('\n## Messages\n')[1] ?? '')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1)
      .map((cell) => Array.from(cell.matchAll(/`([^`]+)`/g), ([, text = '']) => text)),
  )

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** One with so few letters of its own matches no text but itself: it would match any. */
const FEWEST_LETTERS = 12
const letters = (text: string): number => text.match(/[a-zA-Z]/g)?.length ?? 0
const patternOf = (row: string): RegExp =>
  new RegExp(
    `^${row
      .split(HOLE)
      .map(escaped)
      .join(letters(row) < FEWEST_LETTERS ? HOLE : '.*')}$`,
    's',
  )

let messages: readonly Message[] = []
let conditions: readonly string[] = []

beforeAll(() => {
  const sources = new Sources(ROOT)
  messages = messagesOf(sources)
  conditions = conditionsOf(sources)
})

describe('docs/health.md', () => {
  it('has a row for every condition that there can be, and for no other', () => {
    const [, table = ''] = HEALTH.split('| `what` | fails when |')
    const cells = (table.split('\n\n')[0] ?? '').split('\n').map((line) => line.split('|')[1] ?? '')
    const rows = cells.flatMap((cell) => Array.from(cell.matchAll(/`([^`]+)`/g), ([, name = '']) => name))
    const patterns = [...new Set(conditions)].map((name) => new RegExp(`^${name.split(HOLE).map(escaped).join('.+')}$`))
    expect(patterns.length).toBeGreaterThan(15)
    expect(patterns.filter((pattern) => !rows.some((name) => pattern.test(name)))).toEqual([])
    // the names of the kernel's settings are put together
    const others = rows.filter((name) => !name.startsWith('net.'))
    expect(others.filter((name) => !patterns.some((pattern) => pattern.test(name)))).toEqual([])
  })
})

describe('docs/troubleshooting.md', () => {
  it('has a line for every message at warn or above, and for every reason in one', () => {
    const patterns = ROWS.flat(2).map(patternOf)
    expect(messages.length).toBeGreaterThan(200)
    const missing = messages.filter(({ text }) => !(text in COMPOSED) && !patterns.some((row) => row.test(text)))
    expect(missing.map(({ at, text }) => `${at} ${text}`)).toEqual([])
  })

  it('has no line for a message that there is not', () => {
    const rows = ROWS.flatMap(([first = []]) => first)
    expect(rows.length).toBeGreaterThan(120)
    expect(rows.filter((row) => !messages.some(({ text }) => patternOf(row).test(text)))).toEqual([])
  })

  it('leaves out only texts that there are, and that say nothing by themselves', () => {
    expect(Object.keys(COMPOSED).filter((part) => !messages.some(({ text }) => text === part))).toEqual([])
  })

  it('says in every row what it means and what to do', () => {
    const rows = GUIDE.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    expect(
      rows.filter((line) =>
        line
          .split(/(?<!\\)\|/)
          .slice(1, -1)
          .some((cell) => cell.trim() === ''),
      ),
    ).toEqual([])
  })
})
