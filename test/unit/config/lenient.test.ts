import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../src/config/error.ts'
import { readLeniently } from '../../../src/config/lenient.ts'
import { parseNetworkConfig } from '../../../src/config/network.ts'
import { remarksOn } from '../../../src/config/remarks.ts'

const CONFIG = '{"Network":"10.0.0.0/8","SubnetLen":20,"Backend":{"Type":"vxlan","VNI":100}}'
const PRETTY = JSON.stringify(JSON.parse(CONFIG), null, 2)
const asUtf16 = (text: string, at: 0 | 1): string => text.replaceAll(/[^]/g, at === 0 ? '$&\0' : '\0$&')

/** As shells, editors and tools spoil it. What etcd's bytes are as UTF-8: two octets that are none come as U+FFFD each. */
const SPOILT: readonly (readonly [oddity: string, text: string])[] = [
  ['a byte order mark', `\uFEFF${CONFIG}`],
  ['UTF-16', asUtf16(CONFIG, 0)],
  ['UTF-16', asUtf16(CONFIG, 1)],
  ['UTF-16', `\uFFFD\uFFFD${asUtf16(PRETTY, 0)}`],
  ['UTF-16', `${CONFIG}\0`],
  ['quotes around it', `'${CONFIG}'`],
  ['quotes around it', `"${CONFIG}"\n`],
  ['quotes around it', `'${PRETTY}'`],
  ['JSON inside a string of JSON', JSON.stringify(CONFIG)],
  ['JSON inside a string of JSON', JSON.stringify(PRETTY)],
  ['escaped quotes', CONFIG.replaceAll('"', '\\"')],
  ['typographic quotes', CONFIG.replaceAll(/"(\w[^"]*)"/g, '“$1”')],
  ['typographic quotes', CONFIG.replaceAll(/"(\w[^"]*)"/g, '„$1“')],
  ['spaces that are none', PRETTY.replaceAll(' ', '\u00A0')],
  ['single quotes for double ones', CONFIG.replaceAll('"', "'")],
  ['a comma too many', CONFIG.replace('}}', ',},}')],
  ['a comma too many', PRETTY.replace(/\n\}$/, ',\n}')],
  ['a comma or semicolon behind it', `${CONFIG},`],
  ['a comma or semicolon behind it', `${CONFIG};\n`],
  ['comments', `// all hosts\n${PRETTY} /* the\nend */`],
  ['comments', `# all hosts\n${PRETTY}`],
  ['comments', PRETTY.replace('20,', '20, // as before')],
  [
    'base64',
    'eyJOZXR3b3JrIjoiMTAuMC4wLjAvOCIsIlN1Ym5ldExlbiI6MjAsIkJhY2tlbmQiOnsiVHlwZSI6InZ4bGFuIiwiVk5JIjoxMDB9fQ==',
  ],
  ['URL encoding', encodeURIComponent(CONFIG)],
]

describe('a configuration that is not quite JSON', () => {
  it.each(SPOILT)('for %s is read as it is meant, and said: %j', (oddity, text) => {
    expect(isNoObject(text)).toBe(true)
    expect(parseNetworkConfig(text)).toEqual(parseNetworkConfig(CONFIG))
    expect(readLeniently(text).oddities).toEqual([oddity])
    expect(remarksOn(text, '/config')).toEqual([
      `/config is taken as it is meant, but other programs, upstream's flanneld among them, refuse it for ${oddity}`,
    ])
  })

  it('in several ways at once is as well', () => {
    const text = `\uFEFF'${PRETTY.replace(/\n\}$/, ', // the end\n}')}'\n`
    expect(parseNetworkConfig(text)).toEqual(parseNetworkConfig(CONFIG))
    expect(readLeniently(text).oddities).toEqual([
      'a byte order mark',
      'quotes around it',
      'comments',
      'a comma too many',
    ])
  })

  it('has nothing taken from inside its strings', () => {
    const text = '{"Network":"10.0.0.0/8","Comment":"a // b # c /* d */ ,} \\" e",}'
    expect(JSON.parse(readLeniently(text).json)).toMatchObject({ Comment: 'a // b # c /* d */ ,} " e' })
  })
})

it.each([CONFIG, PRETTY, `\n${CONFIG}\r\n`, '{}'])('what is JSON is not remarked on: %j', (text) => {
  expect(readLeniently(text)).toEqual({ json: text, oddities: [] })
  expect(remarksOn(text, '/config')).toEqual([])
})

describe('a configuration that has no one meaning is named for what it is', () => {
  it.each([
    ['', 'it is empty'],
    ['\n', 'it is empty'],
    ['{Network:10.0.0.0/8,Backend:{Type:vxlan}}', 'its quotes are gone: a shell eats them'],
    ['{ Network: "10.0.0.0/8" }', 'its quotes are gone'],
    ['Network: 10.0.0.0/8\nBackend:\n  Type: vxlan\n', 'it is YAML'],
    ['---\nNetwork: 10.0.0.0/8\n', 'it is YAML'],
    ['@net-conf.json', 'it is the name of a file'],
    ['/etc/kube-flannel/net-conf.json', 'it is the name of a file'],
    ['$(cat net-conf.json)', 'it is a command that no shell has run'],
    ['{"Network":"10.0.0.0/8",', 'its end is missing'],
    ['10.0.0.0/8\n', 'it is a network alone'],
    ['fd00::/48', 'it is a network alone'],
    ["'10.0.0.0/8'", 'it is a network alone'],
    ['"Network":"10.0.0.0/8","SubnetLen":20', 'its braces are missing'],
  ])('%j', (text, what) => {
    expect(() => parseNetworkConfig(text, '/config')).toThrow(ConfigError)
    expect(() => parseNetworkConfig(text, '/config')).toThrow(`/config: expected valid JSON (${what}`)
  })

  it('and what is worse than that in the words of the parser', () => {
    expect(() => parseNetworkConfig('{"Network" "10.0.0.0/8"}')).toThrow(/expected valid JSON \(.*position.*\)/)
  })
})

it('a long text costs no more processor time than to read it once, whatever it is', () => {
  for (const piece of ['/*', '"', ',', "'", '\\"', '“', '{', '=', '\0']) {
    const before = process.cpuUsage()
    readLeniently(piece.repeat(1_000_000))
    readLeniently(piece.repeat(8_000))
    expect(process.cpuUsage(before).user / 1_000, piece).toBeLessThan(2_000)
  }
})

/** Strict readers, upstream's among them, do not take it. */
function isNoObject(text: string): boolean {
  try {
    return typeof JSON.parse(text) !== 'object'
  } catch {
    return true
  }
}
