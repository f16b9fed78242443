import { bringUp, useLab } from '../../lab/use-lab.ts'
import { KERNEL_FAULTS } from './kernel-faults.ts'
import { testFaults } from './matrix.ts'

const lab = useLab({ hosts: 3 }, bringUp)

testFaults(lab, KERNEL_FAULTS, 'while the agent is down')
testFaults(lab, KERNEL_FAULTS, 'during start-up')
