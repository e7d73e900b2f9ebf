/** What a program runs in when it runs for a test or a recording: a clock and ports of its own, and nothing of the test's. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { pathToFileURL } from 'node:url'
import getPort, { portNumbers } from 'get-port'
import type { Chapter } from '../chapters/chapters.ts'
import { portsOf } from '../chapters/ports.ts'
import { ReaderError } from '../workspace/reader-error.ts'

/** How many times as fast as real time a program's timers run in a test. */
export const CLOCK_SPEED = 10

/** Which port stands in for which. */
export type Ports = ReadonlyMap<number, number>

/** What a test's own environment has, and a reader's has not. */
const OF_A_TEST =
  /^(npm_|pnpm_|vitest|node_env|init_cwd|force_color|test$|chapter_under_test|test_(report|retry|cpu)$)/i

export interface ProgramEnvironment {
  /** How many times as fast as real time its timers run. Default: 10. */
  speed?: number
  /** Which ports stand in for those that the program listens on or connects to. Default: none. */
  ports?: Ports
  /** Which port stands in for which, for one program that connects to it. */
  taps?: readonly Tapped[]
  /** The folder where the reader typed, as pnpm leaves it in INIT_CWD. */
  from?: string | undefined
  /** A module to load before the program: its path. */
  preload?: string | undefined
}

/** A program's connections to a port, which go to another one. */
export interface Tapped {
  /** The program, by the name that its lines begin with. */
  lane: string
  port: number
  tapPort: number
}

/** The environment of a program that runs for a test. */
export function programEnvironment({
  ports = new Map(),
  from,
  preload,
  speed = CLOCK_SPEED,
  taps = [],
}: ProgramEnvironment = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(([key]) => !OF_A_TEST.test(key)) as [string, string][]
  return {
    ...Object.fromEntries(kept),
    ...(from !== undefined && { INIT_CWD: from }),
    NODE_OPTIONS: [new URL('preload.js', import.meta.url), ...(preload ? [pathToFileURL(preload)] : [])]
      .map(({ href }) => `--import=${href}`)
      .join(' '),
    TUTORIAL_CLOCK_SPEED: String(speed),
    TUTORIAL_PORTS: [...ports].map(([port, standIn]) => `${port}:${standIn}`).join(','),
    TUTORIAL_TAPS: taps.map(({ lane, port, tapPort }) => `${lane}:${port}:${tapPort}`).join(','),
  }
}

/** The ports that stand in for others in this very process's environment, when it runs for a test. */
export function portsOfTest(): Ports {
  const pairs = (process.env['TUTORIAL_PORTS'] ?? '').split(',').filter(Boolean)
  return new Map(pairs.map((pair) => pair.split(':').map(Number) as [number, number]))
}

/** A free port for each one that programs of these chapters listen on. */
export async function freePorts(chapters: readonly Chapter[]): Promise<Map<number, number>> {
  const ports = new Set(chapters.flatMap(portsOf).map(({ port }) => port))
  const free = new Map<number, number>()
  for (const port of ports) free.set(port, await freePort())
  return free
}

/**
 * The ports that tests and recordings choose from: below those that systems give to outgoing connections, and above those that
 * the core's own tests choose from.
 */
const FIRST_PORT = 13_000
const RANGES = 90
/** In a lab of five that all connect to each other, commands included, there are more than a hundred links. */
const PORTS_OF_RANGE = 200

/** The range of this process, for each copy of this module that a test runner loads into it. */
const RANGE = Symbol.for('@rpi-cluster/tutorial range of ports')
const shared = globalThis as { [RANGE]?: Promise<number> }

/** A port that nobody listens on. Each process chooses from a range of its own, so that test files that run at once do not meet. */
export async function freePort(): Promise<number> {
  shared[RANGE] ??= ownRange()
  const first = await shared[RANGE]
  return getPort({ port: portNumbers(first + 1, first + PORTS_OF_RANGE - 1) })
}

/** The first port of a range that no other process has. To listen on it is to have it, and ends with this process. */
async function ownRange(): Promise<number> {
  for (let turn = 0; turn < RANGES; turn += 1) {
    const first = FIRST_PORT + ((process.pid + turn) % RANGES) * PORTS_OF_RANGE
    const server = createServer((socket) => socket.destroy()).unref()
    const isFree = once(server.listen(first, '127.0.0.1'), 'listening').then(
      () => true,
      () => false,
    )
    if (await isFree) return first
  }
  throw new ReaderError(
    `No range of ports is free: ${RANGES} processes have one each, from port ${FIRST_PORT} on. Do old tests still run?`,
  )
}
