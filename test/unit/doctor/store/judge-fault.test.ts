import { describe, expect, it } from 'vitest'
import { CAUSES } from '../../../../src/doctor/causes.ts'
import { judgeFault } from '../../../../src/doctor/store/judge-fault.ts'
import { REMEDIES } from '../../../../src/doctor/store/remedies.ts'
import type { Finding } from '../../../../src/doctor/finding.ts'
import type { StoreAccess } from '../../../../src/doctor/store-facts.ts'
import type { FaultStatus } from '../../../../src/status/document.ts'
import { ACCESS, fault } from '../../../fake/fake-view.ts'

const NOW = Date.parse('2026-11-30T00:00:00Z')
const DAY_MS = 86_400_000
const URL_OF_ETCD = 'https://etcd.example:2379'

const judged = (
  of: Partial<FaultStatus>,
  access: Partial<StoreAccess> = {},
  seen: Parameters<typeof judgeFault>[1]['certificates'] = [],
): readonly Finding[] =>
  judgeFault(fault({ url: URL_OF_ETCD, ...of }), {
    access: { ...ACCESS, ...access },
    certificates: seen,
    nowMs: NOW,
    seenBy: 'etcd, asked just now',
  })

const one = (...args: Parameters<typeof judged>): string => {
  const [found, ...more] = judged(...args)
  expect(more).toEqual([])
  return found === undefined ? 'nothing' : `${found.cause}: ${found.summary}. ${found.cure.join('; ')}`
}

describe('a failure of etcd becomes its cause, with the object and the command that cures it', () => {
  it.each<[Partial<FaultStatus>, RegExp]>([
    [
      { code: 'UNAVAILABLE', root: 'ECONNREFUSED' },
      /^etcd-refused: nothing listens at https:\/\/etcd\.example:2379.*systemctl start etcd.*ETCD_LISTEN_CLIENT_URLS=https:\/\/0\.0\.0\.0:2379/,
    ],
    [
      { code: 'DEADLINE_EXCEEDED', root: 'ETIMEDOUT' },
      /^etcd-unreachable: nobody answers.*ping -c 3 etcd\.example.*2379\/tcp/,
    ],
    [{ code: 'UNAVAILABLE', root: 'EHOSTUNREACH' }, /^etcd-unreachable: nobody answers/],
    [
      { code: 'UNAVAILABLE', root: 'ENETUNREACH' },
      /^etcd-unreachable: no route of this host leads to https:\/\/etcd\.example:2379.*ip route get etcd\.example.*ETCD_ENDPOINTS/,
    ],
    [
      { code: 'UNAVAILABLE', root: 'ENOTFOUND' },
      /^etcd-name-unknown: the name etcd\.example .*getent hosts etcd\.example.*https:\/\/ADDRESS:2379/,
    ],
    [
      { code: 'UNAVAILABLE', root: 'TLS', url: 'http://10.0.0.1:2379' },
      /^etcd-wants-tls: .*says http:.*FLANNELD_ETCD_ENDPOINTS=https:\/\/10\.0\.0\.1:2379/,
    ],
    [
      { code: 'UNAVAILABLE', root: 'ERR_SSL_WRONG_VERSION_NUMBER' },
      /^etcd-speaks-no-tls: .*FLANNELD_ETCD_ENDPOINTS=http:\/\/etcd\.example:2379/,
    ],
    [{ code: 'UNAVAILABLE', root: 'HTTP' }, /^etcd-speaks-no-tls/],
    [{ code: 'UNAVAILABLE', root: 'version 2.3.8' }, /^etcd-v2-only: .*version 2\.3\.8.*upgrade/],
    [
      { code: 'UNIMPLEMENTED', root: 'UNIMPLEMENTED' },
      /^etcd-is-not-there: .*curl -v https:\/\/etcd\.example:2379\/version/,
    ],
    [{ code: 'UNAVAILABLE', root: 'HTTP/1' }, /^etcd-is-not-there/],
    [
      { code: 'UNAVAILABLE', root: 'SELF_SIGNED_CERT_IN_CHAIN' },
      /^etcd-certificate-untrusted: .*--etcd-cafile.*openssl s_client -connect etcd\.example:2379/,
    ],
    [
      { code: 'UNAVAILABLE', root: 'ERR_TLS_CERT_ALTNAME_INVALID' },
      /^etcd-certificate-name: .*not for the name etcd\.example.*DNS:etcd\.example/,
    ],
    [{ code: 'UNAVAILABLE', root: 'CERT_HAS_EXPIRED' }, /^etcd-certificate-expired: .*has expired/],
    [{ code: 'UNAVAILABLE', root: 'CERT_NOT_YET_VALID' }, /^etcd-certificate-not-yet-valid: .*clock.*timedatectl/],
    [
      { code: 'UNAVAILABLE', root: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' },
      /^own-certificate-refused: .*wants a certificate of this host.*FLANNELD_ETCD_CERTFILE/,
    ],
    [{ code: 'INVALID_ARGUMENT', root: 'no user' }, /^etcd-wants-user: .*FLANNELD_ETCD_USERNAME/],
    [{ code: 'RESOURCE_EXHAUSTED', root: 'RESOURCE_EXHAUSTED' }, /^etcd-full: .*defrag.*alarm disarm/],
    [{ code: 'DEADLINE_EXCEEDED', root: null }, /^etcd-without-leader: .*endpoint status --cluster/],
    [
      { code: 'UNAVAILABLE', root: 'files', says: 'connect: waiting for /ca.pem' },
      /^certificate-files: .*used: waiting for \/ca\.pem/,
    ],
  ])('%o', (of, expected) => {
    expect(one(of)).toMatch(expected)
  })

  it('nobody at the default endpoint is no etcd that refuses: nobody has said where it is', () => {
    const refused = { code: 'UNAVAILABLE', root: 'ECONNREFUSED', url: 'http://127.0.0.1:2379' }
    expect(one(refused, { isDefault: true })).toMatch(
      /^etcd-not-named: nobody says where etcd is, and nothing answers at the default, http:\/\/10\.0\.0\.1:2379.*FLANNELD_ETCD_ENDPOINTS=http:\/\/ADDRESS:2379[^]*--kube-subnet-mgr/,
    )
    expect(one({ code: 'UNAUTHENTICATED' }, { isDefault: true })).toMatch(/^etcd-password/)
  })

  it('a wrong password names the user, and what is written where', () => {
    const access = { user: 'flannel', endpoints: ['http://10.0.0.1:2379'] }
    expect(one({ code: 'UNAUTHENTICATED', op: 'authenticate' }, access)).toMatch(
      /^etcd-password: .*refuses the password of user flannel\. ETCDCTL_API=3 etcdctl --endpoints=http:\/\/10\.0\.0\.1:2379 --user=flannel endpoint health.*FLANNELD_ETCD_PASSWORD=.*--user=root user passwd flannel/,
    )
  })

  it('a role without rights names user, key and the commands that grant it', () => {
    const said = one({ code: 'PERMISSION_DENIED', op: 'create' }, { user: 'flannel', prefix: '/other/net' })
    expect(said).toMatch(/^etcd-role: user flannel may not write below \/other\/net\/ in etcd/)
    expect(said).toContain('role grant-permission flannel --prefix=true readwrite /other/net/')
    expect(said).toContain('--user=root user grant-role flannel flannel')
    expect(one({ code: 'PERMISSION_DENIED', op: 'list' }, { user: 'flannel' })).toMatch(/may not read below/)
  })

  it('tells by the dates of our certificate and of the CA whose end it is', () => {
    const files = { caFile: '/ca.pem', certFile: '/own.pem' }
    const ended = (what: string) => [{ what, fromMs: NOW - 90 * DAY_MS, toMs: NOW - DAY_MS }]
    const alert = { code: 'UNAVAILABLE', root: 'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE' }
    expect(one(alert, files, ended('the certificate in --etcd-certfile'))).toMatch(
      /^own-certificate-expired: .*\/own\.pem/,
    )
    expect(one(alert, files)).toMatch(/^own-certificate-refused: .*refuses the certificate of this host, \/own\.pem/)
    expect(one({ root: 'CERT_HAS_EXPIRED' }, files, ended('the CA in --etcd-cafile'))).toMatch(
      /^ca-expired: .*\/ca\.pem/,
    )
    const [own] = judged(alert, files, ended('the certificate in --etcd-certfile'))
    expect(own?.evidence).toContainEqual(expect.stringContaining('notAfter 2026-11-29T00:00:00.000Z'))
  })

  it('has a finding for each endpoint that fails for a reason of its own, and one where it is the same', () => {
    const [a, b] = ['http://10.0.0.1:2379', 'http://10.0.0.2:2379']
    const refused = fault({ code: 'UNAVAILABLE', root: 'ECONNREFUSED', url: a })
    const old = fault({ code: 'UNAVAILABLE', root: 'TLS', url: b })
    expect(judged({ parts: [refused, old] }).map(({ cause }) => cause)).toEqual(['etcd-refused', 'etcd-wants-tls'])
    expect(judged({ parts: [refused, refused] })).toHaveLength(1)
  })

  it('says nothing of what it does not know', () => {
    expect(judged({ code: 'ABORTED' })).toEqual([])
  })

  it('never shows a password, and quotes what a shell would take apart', () => {
    expect(one({ code: 'UNAUTHENTICATED' }, { user: 'a b', caFile: "/it's.pem" })).toContain("'--cacert=/it'\\''s.pem'")
  })
})

it('every cause has its rank, a summary and a cure', () => {
  for (const [cause, remedy] of Object.entries(REMEDIES)) {
    expect(CAUSES).toContain(cause)
    const of = { access: ACCESS, url: 'https://[fd00::1]:2379', fault: fault() }
    expect(remedy.summary(of)).not.toMatch(/undefined|\[object/)
    expect(remedy.cure(of).join(' ')).not.toMatch(/undefined|\[object/)
  }
})
