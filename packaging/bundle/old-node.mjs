/** The first version of Node.js that this program runs with; package.json says the same ("engines"). */
export const LEAST_NODE = [20, 19]

const [MAJOR, MINOR] = LEAST_NODE
const WORDS = `this needs Node.js ${MAJOR}.${MINOR} or later`
const CURE = 'install that, or take the executable, which has one inside (dist/flanneld)'

/** Patterns of sh for what `node --version` says of an older one. */
const OLDER = ['v[0-9].*', 'v1[0-9].*', `v${MAJOR}.[0-9].*`, `v${MAJOR}.1[0-8].*`].join(' | ')

/**
 * What the bundle begins with, which is a script for sh and for Node at once: sh looks which Node there is, since one that is much too old
 * cannot even read the rest; one that is called by name says it itself, where it can read that.
 */
export const BANNER = `#!/bin/sh
':' //; found=$(node --version 2>/dev/null) || found=none
':' //; case $found in ${OLDER} | none) echo "flanneld: ${WORDS}, and here is $found: ${CURE}" >&2; exit 1 ;; esac
':' //; exec node "$0" "$@"
'use strict'
{
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < ${MAJOR} || (major === ${MAJOR} && minor < ${MINOR})) {
    process.stderr.write('flanneld: ${WORDS}, and here is v' + process.versions.node + ': ${CURE}\\n')
    process.exit(1)
  }
}`
