import { faults, fullDisk } from './behaviours.ts'
import { eachKind } from './kinds.ts'

eachKind('what breaks', faults, { count: 3 })
eachKind('a full disk', [fullDisk], { count: 1, diskMb: 100 })
