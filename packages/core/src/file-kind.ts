/**
 * What stands at a path where a file was expected. A pipe may keep a program waiting for ever, and a program
 * that waits so does not even hear Ctrl-C.
 *
 * @since 0.2.0
 */
import { constants, type Stats } from 'node:fs'

/** Opens a pipe or a device without waiting for somebody at its other end. Nothing to a file; unknown to Windows. */
export const WITHOUT_WAITING = constants.O_NONBLOCK ?? 0

/** What it is, in words for a reader: `a file`, `a pipe`. */
export function kindOf(stats: Stats): string {
  if (stats.isFile()) return 'a file'
  if (stats.isDirectory()) return 'a folder'
  if (stats.isFIFO()) return 'a pipe'
  if (stats.isSocket()) return 'a socket'
  return 'a device'
}
