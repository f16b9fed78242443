import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fails, holds } from '../lab/health.ts'
import { makeCertificates, type Certificates } from '../lab/certificates.ts'
import type { EtcdCluster } from '../lab/etcd-process.ts'
import { waitFor, type LabHost } from '../lab/index.ts'
import { ETCD_PREFIX } from '../lab/lab.ts'
import { UNDERLAY } from '../lab/underlay.ts'
import { useLab } from '../lab/use-lab.ts'
import type { ConditionName } from '../fake/condition-names.ts'
import { Patient, shell, type ToldFinding } from './doctor-lab.ts'
import { install, INSTALLED, putOn, startEtcd, startOn } from './faults/security-scene.ts'

/** Without being asked, agents say it within this. */
const BY_ITSELF = { deadlineMs: 90_000 }
const DEADLINE_MS = 20_000
const CA = `--etcd-cafile=${INSTALLED.caFile}`
const OWN = [`--etcd-certfile=${INSTALLED.certFile}`, `--etcd-keyfile=${INSTALLED.keyFile}`]
/** Of the certificate that ends while an agent runs. */
const LASTS_MS = 20_000

/** What each agent begins with. */
const [OTHER_CA, NO_CERTIFICATE, OTHER_NAME, NO_TLS, TLS, READER, ENDING, REPLACED] = [0, 1, 2, 3, 4, 5, 6, 7]
const CONFIGURATION = 'network configuration'

const lab = useLab({ hosts: 8 })
let files: Certificates
let mutual: EtcdCluster
let guarded: EtcdCluster
let startedMs = 0

const at = (index: number): LabHost => lab().host(index)
const named = (endpoint: string, ...flags: readonly string[]): readonly string[] => [
  `--etcd-endpoints=${endpoint}`,
  ...flags,
]

beforeAll(async () => {
  files = makeCertificates([UNDERLAY.gateway])
  ;[mutual, guarded] = await Promise.all([
    startEtcd(2579, { tls: { ...files, clientAuth: true } }),
    startEtcd(2479, { args: ['--bcrypt-cost', '4'] }),
    ...lab().hosts.map((host) => install(host, files)),
  ])
  for (const command of [
    'user add root:rootpw',
    'user grant-role root root',
    'role add reader',
    `role grant-permission reader --prefix=true read ${ETCD_PREFIX}/`,
    'user add reader:pw',
    'user grant-role reader reader',
    'auth enable',
  ])
    await guarded.etcdctl(command.split(' '))
  guarded.user = 'root:rootpw'
  await shell(at(OTHER_NAME), `echo '${UNDERLAY.gateway} etcd.test' > /run/hosts; mount --bind /run/hosts /etc/hosts`)
  startedMs = Date.now()
  await putOn(at(ENDING), files.endingAt(new Date(startedMs + LASTS_MS)), INSTALLED.certFile)
  const { clientPort } = mutual.member.place
  startOn(at(OTHER_CA), mutual, [`--etcd-cafile=${INSTALLED.otherCaFile}`, ...OWN])
  startOn(at(NO_CERTIFICATE), mutual, [CA])
  startOn(at(OTHER_NAME), mutual, named(`https://etcd.test:${clientPort}`, CA, ...OWN))
  startOn(at(NO_TLS), mutual, named(`http://${UNDERLAY.gateway}:${clientPort}`))
  startOn(at(TLS), lab().etcd, named(lab().etcd.member.endpoint.replace('http:', 'https:'), CA))
  startOn(at(READER), guarded, ['--etcd-username=reader', '--etcd-password=pw'])
  for (const host of [at(ENDING), at(REPLACED)]) startOn(host, mutual, [CA, ...OWN])
})
afterAll(async () => {
  await Promise.all([mutual.close(), guarded.close()])
  files.remove()
})

const patient = (index: number): Patient => new Patient(() => at(index), DEADLINE_MS)

/** The one thing that is found on that host. */
async function only(index: number, cause: string, severity = 'broken'): Promise<ToldFinding> {
  const { findings } = await patient(index).tells(
    `doctor on host ${index} to find ${cause} (${severity}) alone`,
    (told) => told.findings.map((one) => `${one.cause} ${one.severity}`).join() === `${cause} ${severity}`,
  )
  const [found] = findings
  if (found === undefined) throw new Error('nothing was found')
  return found
}

describe('an agent that etcd does not take says so by itself, and doctor names the cause', () => {
  test.each<[cause: string, index: number, condition: ConditionName, cure: RegExp]>([
    ['etcd-certificate-untrusted', OTHER_CA, CONFIGURATION, /^bring the CA that signed it to \/run\/tls\/other\.pem/m],
    ['own-certificate-refused', NO_CERTIFICATE, CONFIGURATION, /FLANNELD_ETCD_CERTFILE=FILE/],
    ['etcd-certificate-name', OTHER_NAME, CONFIGURATION, /subjectAltName DNS:etcd\.test$/m],
    ['etcd-wants-tls', NO_TLS, CONFIGURATION, /FLANNELD_ETCD_ENDPOINTS=https:/],
    ['etcd-speaks-no-tls', TLS, CONFIGURATION, /FLANNELD_ETCD_ENDPOINTS=http:/],
    ['etcd-role', READER, 'lease', /role grant-permission/],
  ])('%s', async (cause, index, condition, cure) => {
    await fails(at(index), condition, /^/, BY_ITSELF)
    expect((await only(index, cause)).cure.join('\n')).toMatch(cure)
  })
})

describe('files that are no good any more while an agent runs', () => {
  test('a key of another certificate, then another CA, then the right ones', async () => {
    const host = at(REPLACED)
    await holds(host, 'forwarding', { deadlineMs: DEADLINE_MS })
    await putOn(host, files.lockedKeyFile, INSTALLED.keyFile)
    host.agent.signal('SIGHUP')
    await fails(host, 'certificates of etcd', /--etcd-keyfile/, BY_ITSELF)
    expect((await only(REPLACED, 'certificate-files', 'risk')).summary).toContain('those from before are still in use')
    await putOn(host, files.keyFile, INSTALLED.keyFile)
    await putOn(host, files.otherCaFile, INSTALLED.caFile)
    host.agent.signal('SIGHUP')
    await holds(host, 'certificates of etcd', BY_ITSELF)
  })

  test('a certificate that ends: before etcd is connected to anew, and then', async () => {
    const host = at(ENDING)
    await waitFor('the end of it', () => Date.now() > startedMs + LASTS_MS, { deadlineMs: LASTS_MS })
    host.agent.signal('SIGHUP')
    await fails(host, 'expiry of certificates', /^the certificate in --etcd-certfile has ended/, BY_ITSELF)
    expect((await only(ENDING, 'own-certificate-expired', 'risk')).summary).toContain(
      'the connection that stands goes on',
    )
    await mutual.member.stop()
    await mutual.restart()
    await fails(host, 'etcd', /the certificate in --etcd-certfile has expired/, BY_ITSELF)
    const { cure } = await only(ENDING, 'own-certificate-expired')
    expect(cure[0]).toContain(INSTALLED.certFile)
  })

  test('another CA, which counts from the next connection on; with the right one all is well again', async () => {
    const host = at(REPLACED)
    await fails(host, 'etcd', /--etcd-cafile/, BY_ITSELF)
    await only(REPLACED, 'etcd-certificate-untrusted')
    await Promise.all([REPLACED, ENDING].map((index) => install(at(index), files)))
    for (const index of [REPLACED, ENDING]) at(index).agent.signal('SIGHUP')
    for (const index of [REPLACED, ENDING]) await holds(at(index), 'etcd', BY_ITSELF)
    await waitFor('both to be well', () => Promise.all([REPLACED, ENDING].map((index) => patient(index).isWell())))
  })
})
