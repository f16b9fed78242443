import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigError } from '../../../../src/config/error.ts'
import { systemClock } from '../../../../src/host/system-clock.ts'
import { CredentialFiles } from '../../../../src/kube/client/credentials.ts'
import {
  readAuthorities,
  readClientCertificate,
  readMaterial,
  readToken,
} from '../../../../src/kube/client/material.ts'
import { StoreError } from '../../../../src/lease/store.ts'
import { makeCertificates, type Certificates } from '../../../lab/certificates.ts'

let certificates: Certificates
let folder: string

beforeAll(() => {
  certificates = makeCertificates()
  folder = mkdtempSync(join(tmpdir(), 'flannel-material-'))
})
afterAll(() => {
  certificates.remove()
  rmSync(folder, { recursive: true })
})

const write = (name: string, content: string | Buffer): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}
const text = (path: string): string => readFileSync(path, 'utf8')
const windows = (path: string): string => text(path).replaceAll('\n', '\r\n')

describe('a file that is waited for', () => {
  const waitsFor = (file: string, why: string): void => {
    const read = (): unknown => readMaterial({ file })
    expect(read).toThrow(StoreError)
    expect(read).toThrow(`waiting for ${file}, which cannot be read (${why})`)
  }

  it('is one that is not there, or empty', () => {
    waitsFor(join(folder, 'nowhere'), 'ENOENT')
    waitsFor(write('nothing', ''), 'it is empty')
  })

  it('is one that nobody may wait for: a FIFO without a writer, a device without an end, a folder', () => {
    const fifo = join(folder, 'fifo')
    execFileSync('mkfifo', [fifo])
    waitsFor(fifo, 'it is no regular file')
    waitsFor('/dev/zero', 'it is no regular file')
    waitsFor(folder, 'EISDIR')
  })

  it('is one that has more than any credential', () => {
    waitsFor(write('large', Buffer.alloc(4 * 1024 * 1024 + 1)), 'it has 4194305 bytes')
  })
})

describe('a token', () => {
  it.each(['t0ken', 't0ken\n', 't0ken\r\n', '\uFEFFt0ken\r\n', '  t0ken  '])('is read out of %j', (content) => {
    expect(readToken({ file: write('token', content) })).toBe('t0ken')
  })

  it('is refused with what no token has, without being shown', () => {
    const read = (): unknown => readToken({ file: write('token', 'two words') })
    expect(read).toThrow(ConfigError)
    expect(read).not.toThrow('two words')
  })

  it('stays in use while whoever replaces its file has emptied it', () => {
    const file = write('token', 'first')
    const kubeconfig = {
      ...{
        clusters: [{ name: 'c', cluster: { server: 'https://a' } }],
        users: [{ name: 'u', user: { tokenFile: file } }],
      },
      ...{ contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }], 'current-context': 'x' },
    }
    const kubeconfigFile = write('kubeconfig', JSON.stringify(kubeconfig))
    const credentials = new CredentialFiles({ access: { kubeconfigFile }, environment: {}, clock: systemClock })
    for (const content of ['', '\n']) {
      write('token', content)
      expect(credentials.look()).toBe(false)
      expect(credentials.problem).toContain('it is empty')
      expect(credentials.get().authorization).toBe('Bearer first')
    }
    write('token', 'second')
    expect(credentials.look()).toBe(true)
    expect(credentials.get().authorization).toBe('Bearer second')
    write('kubeconfig', '')
    expect(credentials.look()).toBe(false)
    expect(credentials.get().authorization).toBe('Bearer second')
  })
})

describe('certificates', () => {
  it('are read whatever ends their lines', () => {
    const file = write('ca', windows(certificates.caFile))
    expect(readAuthorities({ file })).toEqual(Buffer.from(windows(certificates.caFile)))
    const own = { file: write('own', windows(certificates.certFile)) }
    const key = { file: write('key', windows(certificates.keyFile)) }
    expect(readClientCertificate(own, key).certificate.toString()).toBe(windows(certificates.certFile))
  })

  it('of a client may stand in one file with their key, in either order, as the kubelet has them', () => {
    const [certificate, key] = [text(certificates.certFile), text(certificates.keyFile)]
    for (const content of [certificate + key, key + certificate]) {
      const both = { file: write('both', content) }
      expect(readClientCertificate(both, both).key.toString()).toBe(content)
    }
  })

  it('of a client are named where they are none, and so are keys', () => {
    const { certFile, keyFile, lockedKeyFile } = certificates
    const [certificate, key] = [{ file: certFile }, { file: keyFile }]
    const junk = { file: write('junk', 'junk') }
    const data = { data: Buffer.from('junk') }
    const refusals: readonly (readonly [() => unknown, string])[] = [
      [() => readClientCertificate(junk, key), `${junk.file}: expected a client certificate, as PEM, found`],
      [() => readClientCertificate(data, key), 'client-certificate-data of --kubeconfig-file: expected a client cert'],
      [() => readClientCertificate(certificate, junk), `${junk.file}: expected a private key, as PEM and without`],
      [() => readClientCertificate(certificate, { file: lockedKeyFile }), 'without a passphrase'],
      [() => readClientCertificate(certificate, data), 'client-key-data of --kubeconfig-file: expected a private key'],
    ]
    for (const [read, message] of refusals) {
      expect(read).toThrow(ConfigError)
      expect(read).toThrow(message)
    }
  })

  it('of a client stay in use until certificate and key are both replaced', () => {
    const other = makeCertificates()
    const [certificate, key] = [
      write('tls.crt', text(certificates.certFile)),
      write('tls.key', text(certificates.keyFile)),
    ]
    const user = { 'client-certificate': certificate, 'client-key': key }
    const kubeconfig = {
      ...{ clusters: [{ name: 'c', cluster: { server: 'https://a' } }], users: [{ name: 'u', user }] },
      ...{ contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }], 'current-context': 'x' },
    }
    const access = { kubeconfigFile: write('kubeconfig', JSON.stringify(kubeconfig)) }
    const credentials = new CredentialFiles({ access, environment: {}, clock: systemClock })
    const before = credentials.get().client
    renameSync(write('new.crt', text(other.certFile)), certificate)
    expect(credentials.look()).toBe(false)
    expect(credentials.problem).toContain(`${key}: expected the key of the certificate in ${certificate}`)
    expect(credentials.get().client).toBe(before)
    renameSync(write('new.key', text(other.keyFile)), key)
    expect(credentials.look()).toBe(true)
    expect(credentials.get().client?.key.toString()).toBe(text(other.keyFile))
    other.remove()
  })
})
