/**
 * `pnpm record`: runs a chapter's cluster as a reader does, in a terminal and in real time, and keeps
 * what the terminal showed and what went over the wire, for the site to play and to draw.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, relative } from 'node:path'
import type { Chapter } from '../chapters/chapters.ts'
import { portsOf } from '../chapters/ports.ts'
import { type Ports, portsOfTest, programEnvironment, type Tapped } from '../run/environment.ts'
import { type Copies, linksBetween, membersOf } from '../run/members.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { ROOT } from '../workspace/repository.ts'
import { type Cast, castLines, castText } from './cast.ts'
import { openTap } from './tap.ts'
import { runInTerminal } from './terminal.ts'
import { shortened, WireLog, type WireRecording, wireText } from './wire.ts'

/** Where the recordings are kept. */
export const RECORDINGS_FOLDER = join(ROOT, 'docs/recordings')

/** The terminal: wide enough that only the line of the machine details wraps. */
const COLUMNS = 120

/** How high it is at least. A longer run is shown in a higher one, so that nothing of it scrolls away. */
const ROWS = 24

/** How many of a program of which there may be several: two, so that it shows how others tell them apart. */
const COPIES = 2

/** How long the cluster is up: long enough for two heartbeats, 5 s apart, or for two rounds of 10 s. */
const UP_FOR = '12s'

const PROMPT = '$ '

/** What of the environment a recorded program sees: what the recording machine is like besides is nobody's business. */
const KEPT = /^(PATH|HOME|NODE_OPTIONS|TUTORIAL_\w+)$/

export interface RecordOptions {
  /** How many times as fast as real time the programs' timers run. Default: 1. */
  speed?: number
  /** Which ports stand in for which. Default: the programs use their own. */
  ports?: Ports
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
function commandOf(chapter: Chapter): string {
  return `pnpm --filter ${chapter.name} ${['start', ...argumentsFor(chapter)].join(' ')}`
}

/** Runs a chapter's cluster in a terminal, and returns what was seen of it. */
export async function recordRun(chapter: Chapter, options: RecordOptions = {}): Promise<Recording> {
  const { speed = 1, ports = new Map(), signal } = options
  const began = performance.now()
  const seconds = () => Number(((performance.now() - began) / 1000).toFixed(6))

  const lanes = membersOf(chapter, copiesFor(chapter)).map(({ name }) => name)
  const log = new WireLog(lanes, seconds)
  const taps = await Promise.all(
    linksBetween(membersOf(chapter, copiesFor(chapter)), chapter).map(async ({ lane, to, port }) => {
      const tap = await openTap({ lane, to, port: ports.get(port) ?? port, log })
      return { lane, port, tapPort: tap.port, close: () => tap.close() }
    }),
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
  // What programs keep over their end is not there yet: a recording is of a first run.
  const state = mkdtempSync(join(tmpdir(), 'state-'))
  const exitCode = await runInTerminal(startScript(chapter), {
    columns: COLUMNS,
    rows: ROWS,
    cwd: chapter.folder,
    env: {
      ...environmentOf(chapter, { ports, speed, taps }),
      STATE_DIRECTORY: state,
      ...cast.header.env,
    },
    onOutput: (text) => cast.events.push([seconds(), 'o', text.replaceAll(state, 'state')]),
    ...(signal && { signal }),
  })
  rmSync(state, { recursive: true })
  cast.header.height = Math.max(ROWS, rowsOf(cast) + 1)
  await Promise.all(taps.map(({ close }) => close()))
  return { cast, exitCode, ...(taps.length > 0 && { wire: shortened(log.recording(chapter.name)) }) }
}

/** What pnpm runs for the command that is shown, without the lines that pnpm adds. */
function startScript(chapter: Chapter): string {
  const { scripts } = JSON.parse(readFileSync(join(chapter.folder, 'package.json'), 'utf8'))
  return ['exec', scripts.start, ...argumentsFor(chapter)].join(' ')
}

function argumentsFor(chapter: Chapter): string[] {
  const copies = copiesFor(chapter)
  const options = chapter.programs.flatMap(({ name, many, copies: usual }) => {
    const count = copies[name]
    return many === undefined || count === undefined || count === usual ? [] : [`--${many}`, String(count)]
  })
  return [...options, '--for', UP_FOR]
}

/** How many of each program are recorded: as many as usual, and at least two where there may be several. */
function copiesFor({ programs }: Chapter): Copies {
  return Object.fromEntries(
    programs.map(({ name, many, copies }) => [name, many === undefined ? copies : Math.max(COPIES, copies)]),
  )
}

/** How many rows of the terminal its lines take. */
function rowsOf(cast: Cast): number {
  return castLines(cast).reduce((sum, { text }) => sum + Math.max(1, Math.ceil(text.length / COLUMNS)), 0)
}

function environmentOf(
  { folder }: Chapter,
  options: { ports: Ports; speed: number; taps: readonly Tapped[] },
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
  const speed = process.env['TUTORIAL_CLOCK_SPEED']
  return { ...(speed && { speed: Number(speed) }), ports: portsOfTest() }
}

function checkRun(chapter: Chapter, { cast, wire, exitCode }: Recording): void {
  const { name, folder } = chapter
  const printed = cast.events.map(([, , text]) => text).join('')
  if (exitCode !== 0) {
    throw new ReaderError(
      `${name} ended with exit code ${exitCode}, so nothing was written for it. It printed:\n${printed}`,
    )
  }
  // Of programs of one kind that connect to each other, one connects and the other need not.
  const silent = membersOf(chapter, copiesFor(chapter)).filter(
    ({ name: lane, program }) =>
      program.connectsTo !== undefined &&
      program.connectsTo !== program.name &&
      !wire?.connections.some((connection) => connection.lane === lane),
  )
  if (silent.length === 0) return
  const lanes = silent.map(({ name }) => name)
  const ports = portsOf(chapter).flatMap(({ program, port }) =>
    silent.some(({ program: { connectsTo } }) => connectsTo === program) ? port : [],
  )
  throw new ReaderError(
    `Nothing of ${lanes.join(' and ')} went through its tap, so nothing was written for ${name}. Its taps were at ${ports.join(', ') || 'no port'}: does it connect there, as ${join(folder, 'package.json')} says under cluster.programs?`,
  )
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
