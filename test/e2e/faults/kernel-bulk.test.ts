import { bringUp, useLab } from '../../lab/use-lab.ts'
import { holdPeers, putPeers } from '../../lab/fake-peers.ts'
import { BULK_FAULTS, BULK_PEERS } from './kernel-bulk.ts'
import { testFaults } from './matrix.ts'

const lab = useLab({ hosts: 2 }, async (made) => {
  await bringUp(made)
  await putPeers(made, 0, BULK_PEERS)
  await holdPeers(made, BULK_PEERS + 1)
})

testFaults(lab, BULK_FAULTS, 'while containers ping each other')
testFaults(lab, BULK_FAULTS, 'while the agent is frozen')
testFaults(lab, BULK_FAULTS, 'while the agent is down')
testFaults(lab, BULK_FAULTS, 'during start-up')
