/** `pnpm lab`: a chapter's cluster in the terminal, with faults that are typed, and its page; or a recording of one. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Chapter } from '../chapters/chapters.ts'
import { portsOfTest } from '../run/environment.ts'
import type { Copies } from '../run/members.ts'
import { Screen } from '../talk/screen.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { Lab } from './lab.ts'
import { Lines } from './lines.ts'
import { anySeed, randomBy } from './random.ts'
import { Recorder } from './recording.ts'
import { Replay } from './replay.ts'
import { pluralsOf } from './scenario.ts'
import type { Watched } from './watched.ts'
import { actionsOf, completionsOf, helpFor, type Named } from './words.ts'

export interface RunLabOptions {
  /** How many of each program. Default: what the chapter says. */
  copies?: Copies
  /** End the lab when it has been up for this long, in ms. */
  forMs?: number
  /** A configuration file for every program that has none of its own. */
  config?: string
  seed?: number
  /** How many times as fast as real time the programs' timers run. Default: 1. */
  speed?: number
  /** Where the recording goes. Default: a new file in `from`. */
  record?: string
  /** The folder where the reader typed. */
  from: string
  /** Whether there is a page. Default: true. */
  page?: boolean
}

/**
 * Runs the lab until it is stopped, or its time is over.
 *
 * @returns the exit code
 */
export async function runLab(chapter: Chapter, options: RunLabOptions): Promise<number> {
  const { copies, forMs, config, seed = anySeed(), speed = 1, from, page = true } = options
  const record = options.record ?? newRecording(chapter.name, from)
  const lab = await Lab.start(chapter, {
    seed,
    speed,
    ports: portsOfTest(),
    ...(copies && { copies }),
    ...(config !== undefined && { config }),
  })
  const screen = new Screen()
  const say = (line: string) => screen.say(` ${line}`)
  let recorder: Recorder | undefined
  try {
    const began = new Date().toISOString()
    const { chapterName, lanes } = lab
    recorder = await Recorder.open(
      record,
      { version: 1, chapter: chapterName, lanes: [...lanes], seed, speed, began },
      say,
    )
    const recorded = recorder
    recorded.add(lab.history())
    lab.onEvents((events) => recorded.add(events))
    say(`Recording to ${record}; --seed ${seed} repeats what is left to chance.`)
    const ended = untilEnd(lab, screen, { chapter, random: randomBy(seed), page, isLive: true, say })
    if (forMs !== undefined)
      void lab.up.then(() => {
        setTimeout(ended.end, forMs)
      })
    await ended.over
  } finally {
    screen.close()
    await lab.close()
    await recorder?.close()
  }
  console.log(`The recording is ${record}: pnpm lab --replay ${record} shows it again.`)
  return 0
}

/**
 * Plays a recording until it is over, and as long as somebody may look at its page.
 *
 * @returns the exit code
 */
export async function runReplay(
  file: string,
  { speed = 1, page = true }: { speed?: number; page?: boolean },
): Promise<number> {
  const replay = await Replay.start(file, { speed })
  const screen = new Screen()
  const say = (line: string) => screen.say(` ${line}`)
  say(`A recording of ${replay.chapterName}${speed === 1 ? '' : `, ${speed} times as fast as it was`}.`)
  if (replay.leftOut > 0) say(`${replay.leftOut} events were left out of it when it was made.`)
  const named = { random: Math.random, page, isLive: false, say }
  const { over, end } = untilEnd(replay, screen, named)
  void replay.over.then(() => {
    // Who sits at a terminal may want to look at the page.
    if (screen.isTyped && page) say('The recording is over. Ctrl-C ends this.')
    else end()
  })
  await over
  screen.close()
  await replay.close()
  return 0
}

/** Aborted when somebody ends this command: by Ctrl-C, by closing the terminal, or because nobody reads what it prints. */
export function stopOnSignals(): AbortSignal {
  const stop = new AbortController()
  const end = () => stop.abort()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end)
  process.stdout.on('error', end)
  return stop.signal
}

interface Shown {
  chapter?: Chapter
  random: () => number
  page: boolean
  /** Whether something can be done. */
  isLive: boolean
  say: (line: string) => void
}

/** Shows what happens, serves its page, and does what is typed, until somebody ends it. */
function untilEnd(
  watched: Watched,
  screen: Screen,
  { chapter, random, page, isLive, say }: Shown,
): { over: Promise<void>; end: () => void } {
  const ended = new AbortController()
  const end = () => ended.abort()
  const stop = AbortSignal.any([ended.signal, stopOnSignals()])
  const over = new Promise<void>((resolve) => {
    stop.addEventListener('abort', () => resolve())
  })
  const lines = new Lines(watched.lanes, Boolean(process.stdout.hasColors?.()))
  const show = (events: Parameters<Parameters<Watched['onEvents']>[0]>[0]) => {
    for (const event of events) {
      const line = lines.of(event)
      if (line !== undefined) screen.say(line)
    }
  }
  show(watched.history())
  watched.onEvents(show)
  if (page) void servePage(watched, stop, isLive, say)

  const named: Named = {
    lanes: watched.lanes,
    plurals: chapter ? pluralsOf(chapter) : new Map(),
    commands: watched.commands,
    random,
  }
  if (isLive && screen.isTyped) say('Type what is to happen, such as: help. Ctrl-C ends all.')
  void (async () => {
    let isEmpty = true
    const typed = screen.lines(end, (begun) => completionsOf(begun, named))
    for (let next = await typed.next(); !next.done; next = await typed.next()) {
      isEmpty = false
      await obey(next.value.trim(), watched, named, say)
    }
    // A terminal that is closed, or Ctrl-D. Where nobody could type anything there is no end of it either.
    if (screen.isTyped || (!isEmpty && isLive)) end()
  })()
  return { over, end }
}

async function obey(
  text: string,
  watched: Watched,
  named: Named,
  say: (line: string) => void,
): Promise<void> {
  if (text === '') return
  if (text === 'help') {
    for (const line of helpFor(named)) say(line)
    return
  }
  try {
    for (const action of actionsOf(text, named)) await watched.do(action)
  } catch (error) {
    if (!(error instanceof ReaderError)) throw error
    for (const line of error.message.split('\n')) say(line)
  }
}

async function servePage(
  watched: Watched,
  stop: AbortSignal,
  canAct: boolean,
  say: (line: string) => void,
): Promise<void> {
  const { serveLabPage } = await import('./server.ts')
  const { address } = await serveLabPage(watched, { stop, canAct })
  say(`Its page: ${address}`)
}

/** A name that no file has. */
export function newRecording(chapter: string, folder: string): string {
  for (let count = 1; ; count += 1) {
    const file = join(folder, `${chapter}${count === 1 ? '' : `-${count}`}.lab.jsonl`)
    if (!existsSync(file)) return file
  }
}
