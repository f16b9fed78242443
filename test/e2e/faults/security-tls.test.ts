import { copyFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { makeCertificates, type Certificates } from '../../lab/certificates.ts'
import type { EtcdCluster } from '../../lab/etcd-process.ts'
import { fails, holds, waitFor, type LabHost } from '../../lab/index.ts'
import { says, timesSaid } from '../../lab/log.ts'
import { UNDERLAY } from '../../lab/underlay.ts'
import { DEVICE, useLab } from '../../lab/use-lab.ts'
import { FOLLOWED_WITHIN_MS, madeUpPeer } from './etcd-overlay.ts'
import { install, INSTALLED, putInto, putOn, startEtcd, startOn, startOver } from './security-scene.ts'

const lab = useLab({ hosts: 2 })

describe('etcd behind TLS', () => {
  let files: Certificates
  /** Shows a certificate. */
  let server: EtcdCluster
  /** Shows one and wants to see one. */
  let mutual: EtcdCluster

  beforeAll(async () => {
    files = makeCertificates([UNDERLAY.gateway])
    ;[server, mutual] = await Promise.all([
      startEtcd(2479, { tls: files }),
      startEtcd(2579, { tls: { ...files, clientAuth: true } }),
    ])
    for (const host of lab().hosts) await install(host, files)
  })
  afterEach(() => startOver(lab()))
  afterAll(async () => {
    await Promise.all([server.close(), mutual.close()])
    files.remove()
  })

  const CA = `--etcd-cafile=${INSTALLED.caFile}`
  const OWN = [`--etcd-certfile=${INSTALLED.certFile}`, `--etcd-keyfile=${INSTALLED.keyFile}`]

  /** Both hosts on the same etcd end up with each other in their tables. */
  async function bothForward(etcd: EtcdCluster, flags: readonly string[]): Promise<void> {
    for (const host of lab().hosts) startOn(host, etcd, flags)
    for (const host of lab().hosts) {
      await host.ready()
      await knowsPeers(host, 1)
    }
  }

  async function knowsPeers(host: LabHost, count: number, deadlineMs = 15_000): Promise<void> {
    const look = async (): Promise<boolean> => {
      const { neighbours, fdb, routes } = await host.peerTables(DEVICE)
      expect([neighbours, fdb, routes].map(({ length }) => length)).toEqual([count, count, count])
      return true
    }
    await waitFor(`${host.name} to have ${count} peers`, look, { deadlineMs })
  }

  /** The agent says what is the matter, once, and goes on trying. */
  async function isRefused(host: LabHost, what: RegExp): Promise<void> {
    await says(host, what, { deadlineMs: 20_000 })
    // each attempt is a TLS handshake of its own, and the program has only just started
    expect(await host.agent.cpuShare(3_000), 'share of a processor').toBeLessThan(0.08)
    expect(await timesSaid(host, what), 'times said').toBe(1)
    expect(host.agent.isRunning).toBe(true)
    expect(await host.subnetFile()).toBeUndefined()
  }

  test('security: a server certificate and --etcd-cafile: works', () => bothForward(server, [CA]))

  test('security: client and server certificates: works', () => bothForward(mutual, [CA, ...OWN]))

  test('security: no --etcd-cafile, the CA is trusted by the system: works', async () => {
    process.env['SSL_CERT_FILE'] = INSTALLED.caFile
    try {
      await bothForward(server, [])
    } finally {
      delete process.env['SSL_CERT_FILE']
    }
  })

  test('security: a CA that did not sign the server, no client certificate: the log says which it is', async () => {
    const [stranger, anonymous] = [lab().host(0), lab().host(1)]
    startOn(stranger, server, [`--etcd-cafile=${INSTALLED.otherCaFile}`])
    startOn(anonymous, mutual, [CA])
    await Promise.all([isRefused(stranger, /warn .*--etcd-cafile/), isRefused(anonymous, /warn .*--etcd-certfile/)])
  })

  test('security: a key of another certificate, an encrypted key: exit code 2, naming flag and file', async () => {
    const other = makeCertificates([UNDERLAY.gateway])
    const host = lab().host(0)
    try {
      for (const [file, words] of [
        [other.keyFile, 'not that of another'],
        [files.lockedKeyFile, 'without a passphrase'],
      ] as const) {
        await putOn(host, file, INSTALLED.keyFile)
        startOn(host, mutual, [CA, ...OWN])
        expect(await host.agent.exit()).toMatchObject({ code: 2 })
        const said = `flanneld: --etcd-keyfile: expected [^\\n]*${words}[^\\n]*"${INSTALLED.keyFile}"\\n$`
        expect(await host.agent.logOfRun()).toMatch(new RegExp(said))
      }
    } finally {
      other.remove()
      await install(host, files)
    }
  })

  test('security: certificate files that appear later are waited for, and named meanwhile', async () => {
    const host = lab().host(0)
    await host.place.exec('rm', [INSTALLED.caFile])
    startOn(host, server, [CA])
    await fails(host, 'certificates of etcd', /^waiting for .*ca\.pem \(--etcd-cafile\), which is not there yet$/)
    await install(host, files)
    await host.ready()
    await holds(host, 'certificates of etcd')
  })

  test('security: a key that does not fit while the agent runs is named, those from before stay in use', async () => {
    const host = lab().host(0)
    startOn(host, mutual, [CA, ...OWN])
    await host.ready()
    await putOn(host, files.lockedKeyFile, INSTALLED.keyFile)
    const said = /^--etcd-keyfile: expected a private key without a passphrase.*; those from before stay in use$/
    await fails(host, 'certificates of etcd', said, { deadlineMs: 90_000, everyMs: 1_000 })
    await mutual.member.stop()
    await fails(host, 'etcd', /is out of reach/)
    await mutual.restart()
    await holds(host, 'etcd', { deadlineMs: 15_000 })
    await install(host, files)
    await holds(host, 'certificates of etcd', { deadlineMs: 15_000 })
  })

  test('security: a certificate that expires while the agent runs is named as such, and a new one is taken up', async () => {
    const host = lab().host(0)
    const end = new Date(Date.now() + 12_000)
    await putOn(host, files.endingAt(end), INSTALLED.certFile)
    startOn(host, mutual, [CA, ...OWN])
    await host.ready()
    await fails(host, 'expiry of certificates', /^the certificate in --etcd-certfile ends on .*, in 0 days$/)
    await waitFor('the end of it', () => Date.now() > end.getTime(), { deadlineMs: 15_000 })
    await mutual.member.stop()
    await mutual.restart()
    await fails(host, 'etcd', /the certificate in --etcd-certfile has expired/, { deadlineMs: 15_000 })
    await install(host, files)
    await holds(host, 'etcd', { deadlineMs: 15_000 })
  })

  test('security: certificates rotated, all files replaced: picked up without a restart of the agent', async () => {
    const host = lab().host(0)
    startOn(host, mutual, [CA, ...OWN])
    await host.ready()
    const fresh = makeCertificates([UNDERLAY.gateway])
    try {
      await holds(host, 'etcd', { deadlineMs: 15_000 })
      await mutual.member.stop()
      await fails(host, 'etcd', /is out of reach/)
      for (const name of ['caFile', 'certFile', 'keyFile'] as const) copyFileSync(fresh[name], files[name])
      await install(host, fresh)
      await mutual.restart()
      const { name, value } = madeUpPeer(1)
      await putInto(mutual, name, value)
      const isFollowed = async (): Promise<boolean> =>
        (await host.peerTables(DEVICE)).routes.some(({ destination }) => destination === name.replace('-', '/'))
      await waitFor('the new peer', isFollowed, { deadlineMs: FOLLOWED_WITHIN_MS })
    } finally {
      fresh.remove()
    }
  })
})
