import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { parseKubeconfig } from '../../../../src/kube/client/kubeconfig.ts'

const PATH = '/etc/kubernetes/agent.conf'

interface Parts {
  readonly cluster?: object
  readonly user?: object
  readonly file?: object
}

const configWith = ({ cluster = {}, user = {}, file = {} }: Parts = {}): string =>
  stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'other', cluster: { server: 'https://other:6443' } },
      { name: 'c', cluster: { server: 'https://10.0.0.1:6443', ...cluster } },
    ],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'kube-flannel' } }],
    'current-context': 'x',
    preferences: {},
    ...file,
  })

const parse = (parts?: Parts, server?: string): ReturnType<typeof parseKubeconfig> =>
  parseKubeconfig(configWith(parts), PATH, server)

describe('parseKubeconfig', () => {
  it('takes cluster and user of the current context', () => {
    expect(parse({ user: { token: 'secret' } })).toEqual({
      server: 'https://10.0.0.1:6443',
      authority: undefined,
      isInsecure: false,
      serverName: undefined,
      certificate: undefined,
      key: undefined,
      token: { data: Buffer.from('secret') },
      basic: undefined,
    })
  })

  it('finds files beside itself, and what stands in it before them', () => {
    const cluster = { 'certificate-authority': 'pki/ca.crt', 'tls-server-name': 'kubernetes' }
    const user = {
      'client-certificate': '/var/lib/kubelet/pki/current.pem',
      'client-key': '../key.pem',
      'client-key-data': Buffer.from('KEY').toString('base64'),
      tokenFile: 'token',
      token: 'older',
    }
    expect(parse({ cluster, user })).toMatchObject({
      authority: { file: '/etc/kubernetes/pki/ca.crt' },
      serverName: 'kubernetes',
      certificate: { file: '/var/lib/kubelet/pki/current.pem' },
      key: { data: Buffer.from('KEY') },
      token: { file: '/etc/kubernetes/token' },
    })
  })

  it('reads a user and password, an insecure cluster, and another URL than its own', () => {
    const parts = { cluster: { 'insecure-skip-tls-verify': true }, user: { username: 'a', password: 'b' } }
    expect(parse(parts, 'http://127.0.0.1:8080')).toMatchObject({
      server: 'http://127.0.0.1:8080',
      isInsecure: true,
      basic: { username: 'a', password: 'b' },
    })
  })

  it('reads JSON, which is YAML, and a user that is none', () => {
    const file = {
      clusters: [{ name: 'c', cluster: { server: 'http://a' } }],
      contexts: [{ name: 'x', context: { cluster: 'c' } }],
    }
    const text = JSON.stringify({ ...file, 'current-context': 'x' })
    expect(parseKubeconfig(text, PATH, undefined)).toMatchObject({ server: 'http://a', token: undefined })
  })

  it.each<[string, Parts, RegExp]>([
    [
      'a plugin',
      { user: { exec: { command: 'aws' } } },
      /user.exec: expected a token, .*: exec plugins are not supported/,
    ],
    ['a provider', { user: { 'auth-provider': { name: 'gcp' } } }, /auth providers are not supported/],
    ['a proxy', { cluster: { 'proxy-url': 'socks5://a' } }, /cluster.proxy-url: expected no proxy/],
    ['somebody else', { user: { as: 'admin' } }, /user.as: expected no impersonation/],
    ['no context', { file: { 'current-context': '' } }, /current-context: expected the name of a context/],
    ['another context', { file: { 'current-context': 'y' } }, /contexts: expected one named "y", found \["x"\]/],
    ['no server', { cluster: { server: '' } }, /cluster.server: expected the URL of the API server/],
    ['lists that are none', { file: { users: 'u' } }, /users: expected one named "u", found \[\]/],
    ['a token that is none', { user: { token: ['a'] } }, /user.token: expected a string/],
  ])('refuses %s, and names the field', (_, parts, message) => {
    expect(() => parse(parts)).toThrow(message)
    expect(() => parse(parts)).toThrow(PATH)
  })

  it.each(['{', '- a', 'a: b: c', '"text"', ''])('refuses %j, which is no kubeconfig', (text) => {
    expect(() => parseKubeconfig(text, PATH, undefined)).toThrow(`--kubeconfig-file (${PATH})`)
  })

  it('says what keeps it from being YAML, and where', () => {
    expect(() => parseKubeconfig('a: b: c', PATH, undefined)).toThrow(
      /: expected valid YAML, found "Nested mappings .* at line 1, column 4"$/,
    )
  })

  it('shows no secret in its errors', () => {
    const user = { token: 'TOPSECRET', exec: { env: [{ name: 'a', value: 'TOPSECRET' }] } }
    let message = ''
    try {
      parse({ user })
    } catch (error) {
      message = String(error)
    }
    expect(message).not.toBe('')
    expect(message).not.toContain('TOPSECRET')
  })
})
