/**
 * How a machine does, as numbers over time: a node measures and sends them, and whoever it sends them to dates and keeps
 * them, and answers what is asked of their past.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.17.0
 */

// What is kept, and what is asked of it.
export {
  KeptVitals,
  type KeptVitalsOptions,
  type NodeSample,
  type VitalsRow,
  vitalsRow,
} from './kept-vitals.ts'
// When it is, where the clock of a machine may be wrong.
export { KnownTime, type KnownTimeOptions } from './known-time.ts'
// What is measured.
export { type BaseInfo, baseInfo, takeVitals, type Vitals, vitalsJson } from './machine-vitals.ts'
export { type ClockState, systemClock } from './system-clock.ts'
// The past, as it is answered.
export { historyFrom } from './vitals-history.ts'
// When it is sent.
export { VitalsSender, type VitalsSenderOptions } from './vitals-sender.ts'
