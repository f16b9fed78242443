import type { Check } from '../finding.ts'
import type { View } from '../view.ts'
import { addressConflict } from './address-conflict.ts'
import { checksums } from './checksums.ts'
import { ipsec } from '../kernel/ipsec.ts'
import { pathMtu } from './path-mtu.ts'
import { published } from './published.ts'
import { rejectedLeases } from './rejected-leases.ts'
import { reversePath } from './reverse-path.ts'
import { routes } from './routes.ts'
import { rulesOfOthers } from './rules-of-others.ts'
import { silentPeers } from './silent-peer.ts'
import { taken } from './taken.ts'
import { trafficControl } from '../kernel/traffic-control.ts'
import { tunnelsSeen } from '../kernel/tunnels-seen.ts'
import { underlayLink } from './underlay-link.ts'
import { underlayNeighbours } from '../kernel/underlay-neighbours.ts'
import { underlayWay } from './underlay-way.ts'

/** What is looked into between this host's containers and those of its peers. */
export const PACKET_CHECKS: readonly Check<View>[] = [
  underlayLink,
  taken,
  rulesOfOthers,
  ipsec,
  trafficControl,
  reversePath,
  underlayWay,
  underlayNeighbours,
  tunnelsSeen,
  routes,
  published,
  addressConflict,
  rejectedLeases,
  silentPeers,
  pathMtu,
  checksums,
]
