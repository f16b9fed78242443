import { bringUp, useLab } from '../../lab/use-lab.ts'
import { KERNEL_FAULTS } from './kernel-faults.ts'
import { testFaults } from './matrix.ts'

const lab = useLab({ hosts: 3 }, bringUp)

testFaults(lab, KERNEL_FAULTS, 'while idle')
testFaults(lab, KERNEL_FAULTS, 'while containers ping each other')
