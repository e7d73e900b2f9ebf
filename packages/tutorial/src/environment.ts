/** What a program runs in when it runs for a test or a recording: a clock and ports of its own, and nothing of the test's. */
import { pathToFileURL } from 'node:url'
import getPort, { portNumbers } from 'get-port'

/** How many times as fast as real time a program's timers run in a test. */
const CLOCK_SPEED = 10

/** The ports that chapters have in their programs, or in the configuration that they come with. */
export const FIXED_PORTS = [31_415, 12_345]

/** What a test's own environment has, and a reader's has not. */
const OF_A_TEST = /^(npm_|pnpm_|vitest|node_env|init_cwd|force_color|test$|chapter_under_test|test_report)/i

export interface ProgramEnvironment {
  /** How many times as fast as real time its timers run. Default: 10. */
  speed?: number
  /** Which ports stand in for which: `31415:20001,12345:20002`. */
  ports: string
  /** Which port stands in for which, for a program that connects to it: `slave 1:31415:40124`. */
  taps?: string
  /** The folder where the reader typed, as pnpm leaves it in INIT_CWD. */
  from?: string | undefined
  /** A module to load before the program: its path. */
  preload?: string | undefined
}

/** The environment of a program that runs for a test. */
export function programEnvironment({
  ports,
  from,
  preload,
  speed = CLOCK_SPEED,
  taps = '',
}: ProgramEnvironment): Record<string, string> {
  const kept = Object.entries(process.env).filter(([key]) => !OF_A_TEST.test(key)) as [string, string][]
  return {
    ...Object.fromEntries(kept),
    ...(from !== undefined && { INIT_CWD: from }),
    NODE_OPTIONS: [new URL('preload.js', import.meta.url), ...(preload ? [pathToFileURL(preload)] : [])]
      .map(({ href }) => `--import=${href}`)
      .join(' '),
    TUTORIAL_CLOCK_SPEED: String(speed),
    TUTORIAL_PORTS: ports,
    TUTORIAL_TAPS: taps,
  }
}

/**
 * A port that nobody listens on. Each process chooses from a range of its own, below the ports that
 * systems give to outgoing connections, so that test files that run at once do not meet.
 */
export function freePort(): Promise<number> {
  const first = 13_000 + (process.pid % 180) * 100
  return getPort({ port: portNumbers(first, first + 99) })
}
