import { bringUp, useLab } from '../../lab/use-lab.ts'
import { KERNEL_FAULTS } from './kernel-faults.ts'
import { testFaults } from './matrix.ts'

const lab = useLab({ hosts: 5 }, bringUp)

testFaults(lab, KERNEL_FAULTS, 'while etcd is out of reach')
