import { MAINTAINER, SUMMARY } from '../package/product.mjs'
import { debVersion } from './control.mjs'

/** Machine-readable (DEP 5). What others wrote is listed in full where the text says. */
export const copyright = ({ name, date }) => `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: ${name}
Comment: usr/bin/flanneld contains Node.js, whose own licence covers the libraries
 in it (V8, libuv, OpenSSL, zlib and others), and JavaScript packages under the
 licences MIT, Apache-2.0, BSD and ISC. All of them in full:
 /usr/share/doc/${name}/THIRD-PARTY-LICENSES.txt.gz and flanneld --licenses.

Files: *
Copyright: ${date.slice(0, 4)} The ${name} maintainers
License: Apache-2.0

License: Apache-2.0
 Licensed under the Apache License, Version 2.0. On Debian systems its full text
 is in /usr/share/common-licenses/Apache-2.0.
`

export const debianChangelog = (product) => `${product.name} (${debVersion(product)}) stable; urgency=medium

  * ${SUMMARY[0].toUpperCase()}${SUMMARY.slice(1)}: version ${product.version}.
    What has changed stands in changelog.gz.

 -- ${MAINTAINER}  ${new Date(product.epoch * 1000).toUTCString().replace('GMT', '+0000')}
`
