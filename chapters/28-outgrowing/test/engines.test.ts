import { quick } from './behaviours.ts'
import { eachKind } from './kinds.ts'
import { quickLeading } from './leading.ts'

eachKind('without a fault', [...quick, ...quickLeading], { count: 2 })
