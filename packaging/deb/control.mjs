import { MAINTAINER, SUMMARY } from '../package/product.mjs'

export const debVersion = ({ version, revision }) => `${version}-${revision}`

/** First release of Debian's libstdc++6 with these symbols (the versions of GCC; gcc.gnu.org, "ABI policy and guidelines"). */
const LIBSTDCXX = [
  ['3.4.32', '13'],
  ['3.4.30', '12'],
  ['3.4.29', '11'],
  ['3.4.28', '9.3'],
  ['3.4.26', '9'],
  ['3.4.25', '8'],
  ['3.4.22', '6'],
  ['3.4.21', '5.2'],
  ['3.4', '4.9'],
]

const atLeast = (a, b) => {
  const [left, right] = [a, b].map((text) => text.split('.').map(Number))
  for (let at = 0; at < 3; at += 1) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return true
}

/**
 * Libraries that the executable needs. They have to be there before anything is unpacked: dpkg then refuses the package on a machine
 * whose C library is too old, instead of leaving it half installed over one that works.
 */
export function libraries({ needed, glibc, glibcxx }) {
  const has = (name) => needed.some((library) => library.startsWith(name))
  const gcc = LIBSTDCXX.find(([symbols]) => atLeast(glibcxx ?? '3.4', symbols))?.[1]
  return [
    ...(has('libc.so') ? [`libc6 (>= ${glibc})`] : []),
    ...(has('libgcc_s.so') ? ['libgcc-s1 | libgcc1'] : []),
    ...(has('libstdc++.so') ? [`libstdc++6 (>= ${gcc})`] : []),
  ].join(', ')
}

/** @param installedKib sum of all files, in KiB */
export function control({ name, version, revision, arch, elf }, installedKib) {
  return `Package: ${name}
Version: ${debVersion({ version, revision })}
Architecture: ${arch}
Maintainer: ${MAINTAINER}
Installed-Size: ${installedKib}
Pre-Depends: ${libraries(elf)}
Recommends: nftables | iptables, iproute2
Suggests: etcd-client, etcd-server, docker.io | docker-ce, containernetworking-plugins
Conflicts: flannel
Replaces: flannel
Provides: flannel
Section: net
Priority: optional
Description: ${SUMMARY}
 One agent runs on each host. It leases a subnet for the host's containers in
 etcd, creates the VXLAN device, and keeps one neighbour, one forwarding and one
 route entry in the kernel for every other host. The kernel forwards the
 packets; the agent may be stopped, killed or upgraded without losing one.
 .
 Hosts with this agent and hosts with upstream's flanneld share one overlay.
 Docker's options (mk-docker-opts.sh) and the CNI plugin "flannel" are included.
 .
 The executable needs nothing but the C and C++ libraries: Node.js is inside.
`
}
