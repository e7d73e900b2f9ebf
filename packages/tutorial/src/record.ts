/**
 * `pnpm record`: runs a chapter's cluster as a reader does, in a terminal and in real time, and keeps
 * what the terminal showed and what went over the wire, for the site to play and to draw.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join, relative } from 'node:path'
import { type Cast, castText } from './cast.ts'
import type { Chapter } from './chapters.ts'
import { FIXED_PORTS, programEnvironment } from './environment.ts'
import { ReaderError } from './reader-error.ts'
import { ROOT } from './repository.ts'
import { openTap } from './tap.ts'
import { runInTerminal } from './terminal.ts'
import { WireLog, type WireRecording, wireText } from './wire.ts'

/** Where the recordings are kept. */
export const RECORDINGS_FOLDER = join(ROOT, 'docs/recordings')

/** The terminal: wide enough that only the line of the machine details wraps, and high enough for a whole run. */
const COLUMNS = 120
const ROWS = 24

/** Two, so that it shows how a master tells them apart. */
const SLAVES = 2

/** How long the cluster is up: long enough for two heartbeats, 5 s apart, or for two rounds of 10 s. */
const UP_FOR = '12s'

const PROMPT = '$ '

/** What of the environment a recorded program sees: what the recording machine is like besides is nobody's business. */
const KEPT = /^(PATH|HOME|NODE_OPTIONS|TUTORIAL_\w+)$/

export interface RecordOptions {
  /** How many times as fast as real time the programs' timers run. Default: 1. */
  speed?: number
  /** Which ports stand in for which, as in {@link programEnvironment}. Default: the programs use their own. */
  ports?: string
  /** Ends the run. What was recorded is of no use then. */
  signal?: AbortSignal
}

/** One run of a chapter. */
export interface Recording {
  cast: Cast
  /** What its programs said to each other; nothing when there is only one. */
  wire?: WireRecording
  exitCode: number
}

/**
 * Records chapters, one after the other, and writes each one's files when its run has ended well.
 *
 * @param folder where to write `NN-name.cast` and `NN-name.wire.json`
 * @returns the exit code: 0, or 130 when it was stopped by Ctrl-C
 */
export async function record(chapters: readonly Chapter[], folder: string): Promise<number> {
  const stop = new AbortController()
  process.on('SIGINT', () => stop.abort())
  process.on('SIGTERM', () => stop.abort())
  for (const chapter of chapters) {
    console.log(`${PROMPT}${commandOf(chapter)}`)
    const recording = await recordRun(chapter, {
      ...optionsOfTests(),
      signal: stop.signal,
    })
    if (stop.signal.aborted) {
      console.log(`Stopped: nothing was written for ${chapter.name}.`)
      return 130
    }
    checkRun(chapter, recording)
    write(chapter, recording, folder)
  }
  return 0
}

/** The command that a reader types for what is recorded. */
function commandOf({ name, programs }: Chapter): string {
  return `pnpm --filter ${name} ${['start', ...argumentsFor(programs)].join(' ')}`
}

/** Runs a chapter's cluster in a terminal, and returns what was seen of it. */
export async function recordRun(chapter: Chapter, options: RecordOptions = {}): Promise<Recording> {
  const { speed = 1, ports = '', signal } = options
  const began = performance.now()
  const seconds = () => Number(((performance.now() - began) / 1000).toFixed(6))

  const slaves = slavesOf(chapter)
  const log = new WireLog(['master', ...slaves], seconds)
  const standIns = new Map(ports.split(',').map((pair) => pair.split(':').map(Number) as [number, number]))
  const taps = await Promise.all(
    slaves.flatMap((lane) =>
      FIXED_PORTS.map(async (port) => ({
        lane,
        port,
        tap: await openTap({ lane, masterPort: standIns.get(port) ?? port, log }),
      })),
    ),
  )

  const cast: Cast = {
    header: {
      version: 2,
      width: COLUMNS,
      height: ROWS,
      timestamp: Math.floor(Date.now() / 1000),
      title: `${chapter.name.slice(0, 2)} ${chapter.title}`,
      env: { TERM: 'xterm-256color' },
    },
    events: [[0, 'o', `${PROMPT}${commandOf(chapter)}\r\n`]],
  }
  const exitCode = await runInTerminal(startScript(chapter), {
    columns: COLUMNS,
    rows: ROWS,
    cwd: chapter.folder,
    env: {
      ...environmentOf(chapter, {
        ports,
        speed,
        taps: taps.map(({ lane, port, tap }) => `${lane}:${port}:${tap.port}`).join(','),
      }),
      ...cast.header.env,
    },
    onOutput: (text) => cast.events.push([seconds(), 'o', text]),
    ...(signal && { signal }),
  })
  await Promise.all(taps.map(({ tap }) => tap.close()))
  return { cast, exitCode, ...(slaves.length > 0 && { wire: log.recording(chapter.name) }) }
}

/** What pnpm runs for the command that is shown, without the lines that pnpm adds. */
function startScript({ folder, programs }: Chapter): string {
  const { scripts } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return ['exec', scripts.start, ...argumentsFor(programs)].join(' ')
}

function argumentsFor(programs: readonly string[]): string[] {
  return [...(programs.includes('slave') ? ['--slaves', String(SLAVES)] : []), '--for', UP_FOR]
}

/** The slaves, as the start tool names them. */
function slavesOf({ programs }: Chapter): string[] {
  return programs.includes('slave') ? Array.from({ length: SLAVES }, (_, index) => `slave ${index + 1}`) : []
}

function environmentOf(
  { folder }: Chapter,
  options: { ports: string; speed: number; taps: string },
): Record<string, string> {
  const kept = Object.entries(programEnvironment(options)).filter(([key]) => KEPT.test(key))
  const env = Object.fromEntries(kept)
  return {
    ...env,
    // As pnpm does, for the commands that a script names.
    PATH: [join(folder, 'node_modules/.bin'), env['PATH']].join(delimiter),
    TZ: 'UTC',
  }
}

/** When this command itself is run by a test, the clock and the ports of that test hold for what it runs. */
function optionsOfTests(): RecordOptions {
  const { TUTORIAL_CLOCK_SPEED: speed, TUTORIAL_PORTS: ports } = process.env
  return { ...(speed && { speed: Number(speed) }), ...(ports && { ports }) }
}

function checkRun({ name }: Chapter, { cast, wire, exitCode }: Recording): void {
  const printed = cast.events.map(([, , text]) => text).join('')
  if (exitCode !== 0) {
    throw new ReaderError(
      `${name} ended with exit code ${exitCode}, so nothing was written for it. It printed:\n${printed}`,
    )
  }
  const [, ...slaves] = wire?.lanes ?? []
  const unseen = slaves.filter((slave) => !wire?.connections.some(({ lane }) => lane === slave))
  if (unseen.length > 0) {
    throw new ReaderError(
      `Nothing of ${unseen.join(' and ')} went through its tap, so nothing was written for ${name}. Is its master's port in FIXED_PORTS (packages/tutorial/src/environment.ts)?`,
    )
  }
}

function write({ name }: Chapter, { cast, wire }: Recording, folder: string): void {
  const files = {
    [`${name}.cast`]: castText(cast),
    ...(wire && { [`${name}.wire.json`]: wireText(wire) }),
  }
  mkdirSync(folder, { recursive: true })
  for (const [file, text] of Object.entries(files)) {
    writeFileSync(join(folder, file), text)
    console.log(`  ${relative(ROOT, join(folder, file))}: ${text.length} bytes`)
  }
}
