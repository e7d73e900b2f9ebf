import { pino } from 'pino'

/** Logging is off on every side. */
export const noLog = pino({ level: 'silent' })
