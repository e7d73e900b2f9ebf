/**
 * The journal of systemd, where the console of a service goes. It notes the time of each line itself, and how urgent it
 * is, when the line begins with that.
 *
 * @since 0.2.0
 */
import { fstatSync } from 'node:fs'
import pino from 'pino'

/** Where systemd has made a folder for the logs of this program, as `LogsDirectory=` in its unit asks for; else undefined. */
export function logsDirectory(): string | undefined {
  // There may be several, with colons between them.
  return process.env['LOGS_DIRECTORY']?.split(':')[0] || undefined
}

/** Whether the console is the journal: systemd says which file that is, since what a service starts has the same environment. */
export function isJournal(descriptor = 1): boolean {
  const { dev, ino } = fstatSync(descriptor, { bigint: true })
  return process.env['JOURNAL_STREAM'] === `${dev}:${ino}`
}

/** What a line of a level begins with there: `<4>` for a warning, as sd-daemon(3) counts. */
export function journalPrefix(level: string): string {
  const value = pino.levels.values[level] ?? 30
  if (value >= 60) return '<2>'
  if (value >= 50) return '<3>'
  if (value >= 40) return '<4>'
  return value >= 30 ? '<6>' : '<7>'
}
