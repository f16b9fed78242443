import { describe, expect, it } from 'vitest'
import type { Finding } from '../../../../src/doctor/finding.ts'
import { leaseMissing } from '../../../../src/doctor/store/lease-missing.ts'
import { STORE_CHECKS } from '../../../../src/doctor/store/checks.ts'
import { ACCESS, condition, fakeView, fault, type Shown } from '../../../fake/fake-view.ts'
import { SAMPLE_AT, samplePeer, sampleStatus, UNREACHABLE } from '../../../fake/status-samples.ts'

const NOW = Date.parse(SAMPLE_AT)
const DAY_MS = 86_400_000
const { signal } = new AbortController()
const healthy = sampleStatus([samplePeer(1)])

async function found(shown: Shown): Promise<readonly Finding[]> {
  const { view } = fakeView(shown)
  return (await Promise.all(STORE_CHECKS.map((check) => check.look(view, signal)))).flat()
}
const causes = async (shown: Shown): Promise<readonly string[]> => (await found(shown)).map(({ cause }) => cause)

describe('where all is well', () => {
  it('nothing is found, and etcd is not asked: the agent knows', async () => {
    const { view, asked } = fakeView({ agent: healthy })
    for (const check of STORE_CHECKS) expect(await check.look(view, signal)).toEqual([])
    expect(asked()).toBe(0)
  })

  it('nothing is found without an agent, where etcd is asked', async () => {
    expect(await found({})).toEqual([])
  })
})

describe('what the agent fails with', () => {
  const refused = fault({ code: 'UNAVAILABLE', root: 'ECONNREFUSED', url: 'http://10.0.0.1:2379' })

  it('is told once, with what etcd says now, and explains all conditions that come of it', async () => {
    const conditions = [condition('etcd', { fault: refused }), condition('lease', { fault: refused })]
    const all = await found({ agent: { ...healthy, conditions }, facts: { reading: refused } })
    expect(all).toMatchObject([{ cause: 'etcd-refused', explains: ['etcd', 'lease'] }])
    expect(all[0]?.evidence[0]).toMatch(/^etcd, asked just now/)
  })

  it('is told as the agent says it where etcd answers us', async () => {
    const conditions = [condition('lease', { fault: fault({ code: 'PERMISSION_DENIED', op: 'create' }) })]
    const all = await found({ agent: { ...healthy, conditions } })
    expect(all).toMatchObject([
      {
        cause: 'etcd-role',
        evidence: [expect.stringContaining('the agent (lease)'), expect.stringContaining('those of: defaults')],
      },
    ])
  })

  it('is found by asking where no agent runs: nothing can be read, or nothing written', async () => {
    expect(await causes({ facts: { reading: fault({ code: 'UNAUTHENTICATED' }) } })).toEqual(['etcd-password'])
    const denied = fault({ code: 'PERMISSION_DENIED', op: 'create' })
    expect(await causes({ facts: { writing: [denied, denied] } })).toEqual(['etcd-role'])
  })

  it('is that our lease is not there, so that peers cannot answer', async () => {
    const denied = fault({ code: 'PERMISSION_DENIED', op: 'create' })
    const agent = { ...healthy, conditions: [condition('lease', { fault: denied })] }
    expect(await found({ agent, facts: { keys: ['10.16.0.0-20'] } })).toContainEqual(
      expect.objectContaining({ cause: 'lease-missing', covers: 'all peers' }),
    )
    expect(await causes({ agent, facts: { keys: ['10.15.0.0-20&fd00::-64'] } })).toEqual(['etcd-role'])
    const { view } = fakeView({ facts: { keys: [] } })
    const asked = { ...view, suspects: () => Promise.resolve([samplePeer(1, UNREACHABLE)]) }
    expect(await leaseMissing.look(asked, signal)).toMatchObject([{ cause: 'lease-missing' }])
    expect(await leaseMissing.look({ ...asked, overlay: () => Promise.resolve([]) }, signal)).toEqual([])
    expect(await causes({ facts: { keys: [] } })).toEqual([])
    expect(await causes({ agent: healthy, facts: { keys: [] } })).toEqual([])
  })

  it('is that the flags make no sense', async () => {
    expect(await causes({ access: '--etcd-password: expected the password of the user' })).toEqual(['flags-invalid'])
  })
})

describe('the network configuration', () => {
  it('is missing: where another looks as if it were meant, that is named', async () => {
    const [finding] = await found({
      facts: { configuration: null, elsewhere: ['/flannel/net/config'], elsewhereV2: ['/coreos.com/network/config'] },
    })
    expect(finding).toMatchObject({ cause: 'configuration-missing', severity: 'broken' })
    expect(finding?.cure[0]).toContain('FLANNELD_ETCD_PREFIX=/flannel/net')
    expect(finding?.evidence.join('\n')).toMatch(/API v2 has \/coreos/)
  })

  it('is invalid: for a host that waits for it, and for one that goes on with the former one', async () => {
    const invalid = fault({
      error: 'ConfigError',
      code: 'INVALID',
      target: 'Backend.VNI',
      says: 'Backend.VNI: expected a number',
    })
    expect(await found({ facts: { invalid } })).toMatchObject([{ cause: 'configuration-invalid', severity: 'broken' }])
    const conditions = [condition('network configuration', { fault: invalid })]
    const [finding] = await found({ agent: { ...healthy, conditions }, facts: { invalid: undefined } })
    expect(finding).toMatchObject({
      cause: 'configuration-invalid',
      severity: 'risk',
      explains: ['network configuration'],
    })
    expect(finding?.cure[0]).toContain('correct Backend.VNI')
  })

  it('is not all in force', async () => {
    const { configuration } = healthy
    if (configuration === null) throw new Error('none')
    const agent = { ...healthy, configuration: { ...configuration, waitsForRestart: ['Network'] } }
    expect(await causes({ agent })).toEqual(['restart-needed'])
  })
})

describe('certificates', () => {
  const of = (file: string, days: number) => ({
    file,
    expiresAt: new Date(NOW + days * DAY_MS).toISOString(),
    problem: null,
  })
  const agentWith = (...certificates: readonly ReturnType<typeof of>[]) => ({
    ...healthy,
    store: { ...healthy.store, isUp: true, certificates },
  })
  const access = { ...ACCESS, caFile: '/ca.pem', certFile: '/own.pem', keyFile: '/own.key' }

  it('that end later than in two weeks are well; sooner, a risk', async () => {
    expect(await causes({ access, agent: agentWith(of('the CA in --etcd-cafile', 15)) })).toEqual([])
    const [finding] = await found({ access, agent: agentWith(of('the certificate in --etcd-certfile', 2)) })
    expect(finding).toMatchObject({
      cause: 'certificate-expiring',
      severity: 'risk',
      explains: ['expiry of certificates'],
    })
    expect(finding?.summary).toContain('ends in 2 days')
    expect(finding?.evidence[0]).toContain('openssl x509 -in /own.pem -noout -enddate')
  })

  it.each([
    ['the CA in --etcd-cafile', 'ca-expired'],
    ['the certificate in --etcd-certfile', 'own-certificate-expired'],
    ['the certificate of https://10.0.0.1:2379', 'etcd-certificate-expired'],
  ])('%s that has ended while the connection stands is a risk; without one it breaks', async (what, cause) => {
    expect(await found({ access, agent: agentWith(of(what, -1)) })).toMatchObject([{ cause, severity: 'risk' }])
    const seen = [{ what, fromMs: NOW - 30 * DAY_MS, toMs: NOW - DAY_MS }]
    expect(await found({ access, facts: { certificates: { problem: undefined, seen } } })).toMatchObject([
      { cause, severity: 'broken' },
    ])
  })

  it('whose files do not fit together are named', async () => {
    const problem = '--etcd-keyfile: expected the key of the certificate'
    expect(await causes({ access, facts: { certificates: { problem, seen: [] } } })).toEqual(['certificate-files'])
  })

  it('that can be used no more are a risk while the connection stands, though we could make none', async () => {
    const problem = '--etcd-keyfile: expected the key of the certificate'
    const files = condition('certificates of etcd', { reason: `${problem}; those from before stay in use` })
    const facts = { refused: { flag: '--etcd-keyfile', says: problem }, certificates: { problem, seen: [] } }
    expect(await found({ access, agent: { ...agentWith(), conditions: [files] }, facts })).toMatchObject([
      { cause: 'certificate-files', severity: 'risk' },
    ])
  })

  it('that have ended, and keep etcd away, are one thing', async () => {
    const refused = fault({ root: 'ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', url: 'https://10.0.0.1:2379' })
    const what = 'the certificate in --etcd-certfile'
    const seen = [{ what, fromMs: NOW - 30 * DAY_MS, toMs: NOW - DAY_MS }]
    const store = { ...agentWith(of(what, -1)).store, isUp: false }
    const agent = { ...healthy, store, conditions: [condition('etcd', { fault: refused })] }
    const all = await found({ access, agent, facts: { reading: refused, certificates: { problem: undefined, seen } } })
    expect(all).toMatchObject([
      { cause: 'own-certificate-expired', severity: 'broken', explains: ['expiry of certificates', 'etcd'] },
    ])
  })
})

describe('leases', () => {
  it('for which there is no room: of a host that waits for one, and as a risk for the others', async () => {
    const conditions = [condition('lease', { fault: fault({ error: 'OutOfSubnetsError' }) })]
    expect(await causes({ agent: { ...healthy, lease: null, conditions } })).toEqual(['out-of-subnets'])
    expect(await causes({ facts: { leases: { held: 4, room: 4 }, own: [] } })).toEqual(['out-of-subnets'])
    expect(await causes({ facts: { leases: { held: 96, room: 100 } } })).toEqual(['few-subnets'])
    expect(await causes({ facts: { leases: { held: 95, room: 100 } } })).toEqual([])
    const rows = [{ key: 'x', subnet: null, publicIp: null, name: null, reason: 'its VNI is 3', code: 'other_vni' }]
    expect(await causes({ agent: { ...healthy, rejected: { total: 3_800, rows } } })).toEqual(['few-subnets'])
  })

  it.each([
    ['RivalError', 'duplicate-public-ip'],
    ['CloneError', 'duplicate-machine-id'],
  ])('that cannot be had for a %s', async (error, cause) => {
    const conditions = [condition('lease', { fault: fault({ error }) })]
    expect(await causes({ agent: { ...healthy, lease: null, conditions } })).toEqual([cause])
  })
})

describe('the clock', () => {
  const clock = (offsetMs: number) => ({ url: 'http://10.0.0.1:2379', theirsMs: NOW, oursMs: NOW + offsetMs })

  it('of this host that is far from that of etcd is named, with both dates', async () => {
    expect(await causes({ facts: { clock: clock(-59_000) } })).toEqual([])
    const [finding] = await found({ facts: { clock: clock(7_200_000) } })
    expect(finding).toMatchObject({ cause: 'clock-off', severity: 'risk' })
    expect(finding?.summary).toContain('7200 s ahead of that of etcd')
  })
})
