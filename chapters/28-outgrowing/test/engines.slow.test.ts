import { faults, fullDisk, quick } from './behaviours.ts'
import { eachKind } from './kinds.ts'
import { faultsOfLeading, quickLeading } from './leading.ts'

eachKind('without a fault', [...quick, ...quickLeading], { count: 2 })
eachKind('with faults', [...faults, ...faultsOfLeading], { count: 3 })
const kinds = [
  { queue: 'own', leader: 'own' },
  { queue: 'nats', leader: 'own' }, // an etcd on the same disk would end as well
] as const
eachKind('with a full disk', [fullDisk], { kinds, count: 1, diskMb: 100 })
