import { copyFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { makeCertificates, type Certificates } from '../../lab/certificates.ts'
import type { EtcdCluster } from '../../lab/etcd-process.ts'
import { fails, holds, waitFor, type LabHost } from '../../lab/index.ts'
import { says, timesSaid } from '../../lab/log.ts'
import { UNDERLAY } from '../../lab/underlay.ts'
import { DEVICE, useLab } from '../../lab/use-lab.ts'
import { FOLLOWED_WITHIN_MS, madeUpPeer } from './etcd-overlay.ts'
import { install, INSTALLED, putInto, startEtcd, startOn, startOver } from './security-scene.ts'

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
