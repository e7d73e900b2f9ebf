/**
 * Whether the clock of this machine is right. A Pi has no clock that runs while it is switched off: it wakes up in the past,
 * and somewhat later a time server tells it better.
 *
 * @since 0.17.0
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'

/** A file that systemd's own client makes, once it has had an answer of a time server. */
const SYNCHRONISED_FILE = '/run/systemd/timesync/synchronized'

/** How long `timedatectl` may take, in ms. It starts a service, on a Pi that is just starting all others. */
const TIMEDATECTL_TIMEOUT_MS = 10_000

const execute = promisify(execFile)

/**
 * What is known of a clock: a time server has set it; one will, and has not yet; or nobody does, so it is as it is: where
 * that is switched off, or on a system that does not tell.
 */
export type ClockState = 'synchronised' | 'not yet' | 'by itself'

/** What is known of the clock of this machine. It never throws. */
export async function systemClock(): Promise<ClockState> {
  if (existsSync(SYNCHRONISED_FILE)) return 'synchronised'
  const told = await timedatectl()
  if (/^NTPSynchronized=yes$/m.test(told)) return 'synchronised'
  return /^NTP=yes$/m.test(told) ? 'not yet' : 'by itself'
}

/** What systemd knows. It asks the system's own clock, so it knows of chrony and others, too. */
async function timedatectl(): Promise<string> {
  try {
    const { stdout } = await execute('timedatectl', ['show', '-p', 'NTPSynchronized', '-p', 'NTP'], {
      timeout: TIMEDATECTL_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    })
    return stdout
  } catch {
    return '' // there is none, or no systemd runs here
  }
}
