import { kernelContract } from '../contract/kernel-contract.ts'
import { realKernel } from './real-kernel.ts'

kernelContract('the running kernel over rtnetlink', () => realKernel())
