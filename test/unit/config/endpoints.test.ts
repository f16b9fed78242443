import { describe, expect, it } from 'vitest'
import { checkEtcdAccess, describeIgnored, readEndpoints } from '../../../src/config/endpoints.ts'
import type { EtcdAccess } from '../../../src/config/options.ts'

const urls = (text: string, hasTlsFiles = false): readonly string[] => readEndpoints([text], hasTlsFiles).endpoints

describe('endpoints of etcd', () => {
  it.each([
    ['http://127.0.0.1:4001', 'http://127.0.0.1:4001'],
    ['https://etcd.example:2379/', 'https://etcd.example:2379'],
    ['HTTPS://Etcd.example', 'https://etcd.example:2379'],
    ['http://[fd00::1]:2379', 'http://[fd00::1]:2379'],
    ['[fd00::1]:2379', 'http://[fd00::1]:2379'],
    ['10.0.0.1:2379', 'http://10.0.0.1:2379'],
    ['10.0.0.1', 'http://10.0.0.1:2379'],
    ['etcd:2379', 'http://etcd:2379'],
    ['http://etcd', 'http://etcd:2379'],
    ['http://etcd:80', 'http://etcd:80'],
    ['https://etcd:443', 'https://etcd:443'],
    ['http://10.0.0.1:02379', 'http://10.0.0.1:2379'],
    [' http://10.0.0.1:2379 ', 'http://10.0.0.1:2379'],
    ['"http://10.0.0.1:2379"', 'http://10.0.0.1:2379'],
    ["'10.0.0.1:2379'", 'http://10.0.0.1:2379'],
  ])('%s is read as %s', (text, url) => {
    expect(urls(text)).toEqual([url])
  })

  it.each(['a:1,b:2', 'a:1, b:2', 'a:1 b:2', ',a:1,,b:2,', '"a:1,b:2"', 'a:1,\n  b:2\n'])('in %j are two', (text) => {
    expect(urls(text)).toEqual(['http://a:1', 'http://b:2'])
  })

  it('without a scheme are reached by TLS where there are files for it, and others as they say', () => {
    expect(urls('10.0.0.1:2379,http://b,https://c', true)).toEqual([
      'https://10.0.0.1:2379',
      'http://b:2379',
      'https://c:2379',
    ])
  })

  it.each([
    ['http://10.0.0.1:2379/v2', '/v2'],
    ['10.0.0.1:2379/v2/keys?x=1', '/v2/keys?x=1'],
  ])('of %s only what is used is taken, and the rest named', (text, path) => {
    const { endpoints, ignoredPaths = [] } = readEndpoints([text], false)
    expect(endpoints).toEqual(['http://10.0.0.1:2379'])
    expect(ignoredPaths.map(describeIgnored)).toEqual([
      `${path} in ${text} (--etcd-endpoints) is left out: the v3 API of etcd has no path`,
    ])
  })

  it.each([
    'ftp://10.0.0.1',
    'unix:///run/etcd.sock',
    'http://',
    'http:/10.0.0.1:2379',
    'https:10.0.0.1',
    'http://10.0.0.1:',
    'http://10.0.0.1:99999',
    'http://10.0.0.1:0',
    'a:2379;b:2379',
  ])('%s is refused and quoted', (text) => {
    const refusal = { name: 'ConfigError', path: '--etcd-endpoints', got: JSON.stringify(text) }
    expect(() => urls(text)).toThrow(expect.objectContaining(refusal))
  })

  it.each(['fd00::1', 'http://fd00::1', 'fd00::1:2379', 'https://fd00::1:2379/v2'])('%s lacks brackets', (text) => {
    expect(() => urls(text)).toThrow('an IPv6 address in brackets')
  })

  it.each([
    ['http://192.168.205,2:2379', '192.168.205'],
    ['10.0.0.1,2:2379', '2'],
    ['http://192.168.205', '192.168.205'],
    ['3232288002:2379', '3232288002'],
    ['http://192.168.205.02:2379', '192.168.205.02'],
    ['192.168.205.010', '192.168.205.010'],
    ['https://0x7f.1:2379/v2', '0x7f.1'],
    ['0xC0A8CD02', '0xC0A8CD02'],
    ['10.0.0.1.', '10.0.0.1.'],
  ])('in %s an address that would be read as another is named: %s', (text, host) => {
    expect(() => urls(text)).toThrow(
      `an IPv4 address of four numbers such as 10.0.0.1, without zeros in front, in place of ${host}, found`,
    )
  })

  it('whose name begins or is full of digits is a name', () => {
    expect(urls('10.etcd,3com:2379,0xcafe.example')).toEqual([
      'http://10.etcd:2379',
      'http://3com:2379',
      'http://0xcafe.example:2379',
    ])
  })

  it.each(['http://user:hush@10.0.0.1:2379', 'user:hush@10.0.0.1', 'http://user:hu/sh@10.0.0.1'])(
    'a password in %s is refused and not repeated',
    (text) => {
      expect(() => urls(text)).toThrow(/^(?!.*hu).*10\.0\.0\.1/)
    },
  )

  it('none at all is refused', () => {
    for (const text of ['', ' ', ',', '""']) expect(() => urls(text)).toThrow('--etcd-endpoints: expected URLs such as')
  })
})

describe('access to etcd', () => {
  const refused = (access: Partial<EtcdAccess>): string => {
    try {
      checkEtcdAccess({ endpoints: ['https://a:2379'], prefix: '/', ...access })
    } catch (error) {
      return String(error)
    }
    return 'taken'
  }

  it.each<[string, Partial<EtcdAccess>]>([
    ['--etcd-password', { username: 'u' }],
    ['--etcd-username', { password: 'hush' }],
    ['--etcd-endpoints', { endpoints: ['https://a:2379', 'http://b:2379'] }],
    ['--etcd-cafile', { endpoints: ['http://a:2379'], caFile: 'ca' }],
    ['--etcd-certfile', { endpoints: ['http://a:2379'], certFile: 'c', keyFile: 'k' }],
  ])('that cannot be meant like that is refused, naming %s', (flag, access) => {
    expect(refused(access)).toMatch(new RegExp(`^ConfigError: ${flag}: expected`))
    expect(refused(access)).not.toContain('hush')
  })

  it.each<[Partial<EtcdAccess>]>([
    [{}],
    [{ caFile: 'ca', certFile: 'c', keyFile: 'k', username: 'u', password: 'p' }],
    [{ endpoints: ['http://a:2379', 'http://b:2379'], username: 'u', password: 'p', caFile: '' }],
    [{ username: '', password: '' }],
  ])('%j is taken', (access) => {
    expect(refused(access)).toBe('taken')
  })
})
