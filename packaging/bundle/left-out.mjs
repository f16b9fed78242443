import { readFile } from 'node:fs/promises'

/** What packages load and the agent never uses, by the package that loads it, with what stands in its place. */
const LEFT_OUT = [
  // For programs whose subcommands are files of their own; loading it takes a fifth of the time to the first line of the log.
  { loads: /^node:child_process$/, within: 'commander', instead: 'module.exports = {}' },
  // Servers.
  { loads: /^\.\/server(-credentials|-interceptors)?$/, within: '@grpc/grpc-js', instead: 'module.exports = {}' },
  // Colours for a terminal; our lines have none.
  { loads: /^@colors\/colors\/safe$/, within: 'logform', instead: 'module.exports = {}' },
  // Says in colours what winston does, for those who debug winston.
  { loads: /^@dabh\/diagnostics$/, within: 'winston', instead: 'module.exports = () => () => false' },
  // Clusters, a gateway to push to, metrics of Node, summaries: what we have no use for, and packages that only they load.
  {
    loads: /^\.\/lib\/(cluster|pushgateway|defaultMetrics|summary)$/,
    within: 'prom-client',
    instead: 'module.exports = {}',
  },
]

/**
 * grpc-js asks of each address whether it is one of IPv6: Node's regular expression for that takes 3 ms when it is first used. What has a
 * colon, and has been an address before, is one.
 */
const ADDRESSES = /[\\/]@grpc[\\/]grpc-js[\\/]build[\\/]src[\\/](load-balancer-pick-first|subchannel-address)\.js$/
const IS_IPV6 = /\(0, net_1\.isIPv6\)\((\w+(?:\[0\])?\.host)\)/g

export const knownAddresses = {
  name: 'known-addresses',
  setup(build) {
    build.onLoad({ filter: ADDRESSES }, async ({ path }) => {
      const source = await readFile(path, 'utf8')
      const contents = source.replaceAll(IS_IPV6, "$1.includes(':')")
      if (contents === source) throw new Error(`${path} no longer asks for addresses of IPv6 as this plugin knows it`)
      return { contents, loader: 'js' }
    })
  },
}

export const leftOut = {
  name: 'left-out',
  setup(build) {
    for (const [at, { loads, within, instead }] of LEFT_OUT.entries()) {
      build.onResolve({ filter: loads }, ({ importer, path }) =>
        importer.includes(`node_modules/${within}/`) ? { path, namespace: `left-out-${at}` } : undefined,
      )
      build.onLoad({ filter: /^/, namespace: `left-out-${at}` }, () => ({ contents: instead }))
    }
  },
}
