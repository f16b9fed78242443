import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { licence, thirdPartyLicences } from '../package/contents.mjs'

/** Of Debian's packages only this goes into the image: programs, libraries, and who wrote them. */
const KEPT = [
  /^usr\/sbin\/(nft|xtables-(nft|legacy)-multi)$/,
  /^usr\/bin\/busybox$/,
  /^usr\/lib\/[^/]+\/(xtables\/)?[^/]+\.so(\.[\d.]+)?$/,
  /^usr\/lib64\/ld-linux[^/]*$/,
  /^usr\/lib\/ld-linux[^/]*$/,
  /^usr\/share\/doc\/[^/]+\/copyright$/,
]

const file = (path, content, mode = 0o644) => ({ path, content: Buffer.from(content), mode })
const link = (path, target) => ({ path, target })

/** Debian's packages have /lib and /bin apart; on machines, and in the image, they are links into /usr. */
const merged = (path) => path.replace(/^(bin|sbin|lib|lib64)\//, 'usr/$1/')

function unpacked(folder) {
  const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const found = entries.flatMap((path) => {
    const at = join(folder, path)
    const [name, stat] = [merged(path), lstatSync(at)]
    if (!KEPT.some((pattern) => pattern.test(name))) return []
    if (stat.isSymbolicLink()) return [link(name, readlinkSync(at).replace(/^\/(lib|lib64|bin|sbin)\//, '/usr/$1/'))]
    return stat.isFile() ? [file(name, readFileSync(at), stat.mode & 0o755)] : []
  })
  return [...new Map(found.map((entry) => [entry.path, entry])).values()]
}

const ROOTS = ['bin', 'sbin', 'lib', 'lib64'].map((name) => link(name, `usr/${name}`))

/** The firewall's commands by the names under which they are called; the nft kind, as Debian has it. */
const TOOLS = ['iptables', 'ip6tables'].flatMap((name) =>
  ['', '-save', '-restore'].map((suffix) => link(`usr/sbin/${name}${suffix}`, 'xtables-nft-multi')),
)
const LEGACY_TOOLS = ['iptables', 'ip6tables'].flatMap((name) =>
  ['', '-save', '-restore'].map((suffix) => link(`usr/sbin/${name}-legacy${suffix}`, 'xtables-legacy-multi')),
)
const SHELL = ['sh', 'cat'].map((name) => link(`usr/bin/${name}`, 'busybox'))

/** Every file of the image. */
export function imageFiles({ program }, folder) {
  const doc = 'usr/share/doc/flannel-agent'
  return [
    ...[...ROOTS, ...TOOLS, ...LEGACY_TOOLS, ...SHELL, ...unpacked(folder)],
    file('usr/bin/flanneld', program, 0o755),
    link('usr/bin/flannel', 'flanneld'),
    link('usr/bin/mk-docker-opts.sh', 'flanneld'),
    file('etc/passwd', 'root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n'),
    file('etc/group', 'root:x:0:\nnogroup:x:65534:\n'),
    file('etc/nsswitch.conf', 'hosts: files dns\n'),
    file(`${doc}/copyright`, licence()),
    file(`${doc}/THIRD-PARTY-LICENSES.txt`, thirdPartyLicences()),
    { path: 'tmp', mode: 0o1777 },
    { path: 'run', mode: 0o755 },
  ]
}
