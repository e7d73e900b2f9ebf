import { quick } from './behaviours.ts'
import { eachKind } from './kinds.ts'

eachKind('what a queue does', quick, { count: 2 })
