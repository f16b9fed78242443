import { peerFilterContract } from '../../contract/peer-filter-contract.ts'
import { FakePeerFilter } from '../../fake/fake-peer-filter.ts'

peerFilterContract('FakePeerFilter', () => new FakePeerFilter())
