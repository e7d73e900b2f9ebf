/** Runs a scenario on real processes, and says of each promise whether it was kept, and why. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Chapter, findChapter } from '../chapters/chapters.ts'
import { freePorts } from '../run/environment.ts'
import type { Copies } from '../run/members.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import type { LabEvent } from './events.ts'
import { Lab } from './lab.ts'
import { Lines } from './lines.ts'
import type { Verdict } from './promises.ts'
import { anySeed, randomBy } from './random.ts'
import { Recorder } from './recording.ts'
import { newRecording, stopOnSignals } from './run-lab.ts'
import { type Changes, namedIn, readScenario, type Scenario } from './scenario.ts'
import { actionsOf } from './words.ts'

export interface RunScenarioOptions {
  /** Without what the scenario is about: it must fail. */
  control?: boolean
  /** How many of each program, where it is not as many as the scenario says. */
  copies?: Copies
  seed?: number
  /** Default: what the scenario says. */
  speed?: number
  /** Where the recording goes. Default: a new file in `from`. */
  record?: string
  /** The folder where the reader typed. */
  from: string
}

/** What came of a run. */
export interface Outcome {
  results: { promise: string; kept: boolean; why: string }[]
  /** What of it could not be done, in words. */
  problems: string[]
}

/** How long a cluster may take to come up, in ms of real time. */
const UP_WITHIN_MS = 60_000

/** How often the promises are held against what happened, in ms of real time. */
const LOOKS_EVERY_MS = 100

/**
 * Runs one for a reader.
 *
 * @returns the exit code: 0 when it went as it must, 130 when it was stopped
 */
export async function runScenario(
  chapter: Chapter,
  name: string,
  options: RunScenarioOptions,
): Promise<number> {
  const scenario = readScenario(chapter, name, options.copies)
  const { control = false, seed = anySeed(), from } = options
  const record = options.record ?? newRecording(`${chapter.name}-${name}`, from)
  const stop = stopOnSignals()
  console.log(`${name}${control ? ', the control' : ''}: ${scenario.says}`)
  if (control) console.log(`Here ${toldChanges(scenario.control)}, so it must fail.`)
  const outcome = await tryScenario(chapter, scenario, {
    ...options,
    seed,
    record,
    stop,
    onLine: console.log,
  })
  if (stop.aborted) {
    console.log('Stopped before its end, so it has shown nothing.')
    return 130
  }
  console.log('')
  for (const { promise, kept, why } of outcome.results)
    console.log(`${kept ? 'kept  ' : 'BROKEN'}  ${promise}: ${why}`)
  for (const problem of outcome.problems) console.log(`FAILED  ${problem}`)
  const hasPassed = outcome.problems.length === 0 && outcome.results.every(({ kept }) => kept)
  console.log(`${verdictOf(hasPassed, control)} Seed ${seed}. pnpm lab --replay ${record} shows it again.`)
  return hasPassed === control ? 1 : 0
}

function verdictOf(hasPassed: boolean, control: boolean): string {
  if (control) return hasPassed ? 'FAIL: it passed, and must not.' : 'As it must be: it fails.'
  return hasPassed ? 'PASS.' : 'FAIL.'
}

export interface TryOptions extends Omit<RunScenarioOptions, 'from' | 'copies'> {
  seed: number
  stop?: AbortSignal
  onLine?: (line: string) => void
}

/** Runs one, and returns what came of it. */
export async function tryScenario(
  chapter: Chapter,
  scenario: Scenario,
  { control = false, seed, speed, record, stop, onLine = () => {} }: TryOptions,
): Promise<Outcome> {
  const changes = control ? scenario.control : {}
  const programs = changes.chapter === undefined ? chapter : findChapter(changes.chapter)
  const { copies } = scenario
  const named = namedIn(programs, copies, randomBy(seed))
  // What cannot be done with so many nodes is told before anything runs.
  for (const { text } of scenario.steps) actionsOf(text, { ...named, random: () => 0 })
  const lab = await Lab.start(programs, {
    copies,
    seed,
    speed: speed ?? scenario.speed,
    ports: await freePorts([programs]),
    ...(changes.without !== undefined && { without: changes.without }),
    change: (folder) => replaceIn(folder, changes),
  })
  const events: LabEvent[] = []
  const lines = new Lines(lab.lanes, Boolean(process.stdout.hasColors?.()))
  const recorder =
    record === undefined
      ? undefined
      : await Recorder.open(record, headerOf(lab, scenario, control), onLine).catch(async (error) => {
          await lab.close()
          throw error
        })
  const take = (batch: readonly LabEvent[]) => {
    events.push(...batch)
    recorder?.add(batch)
    for (const event of batch) {
      const line = lines.of(event)
      if (line !== undefined) onLine(line)
    }
  }
  take(lab.history())
  lab.onEvents(take)
  try {
    await Promise.race([lab.up, sleep(UP_WITHIN_MS, undefined, { ref: false }), aborted(stop)])
    const began = lab.seconds()
    const problems: string[] = []
    for (const { at, text } of scenario.steps) {
      await until(lab, began + at, stop)
      if (stop?.aborted) return { results: [], problems }
      try {
        for (const action of actionsOf(text, named)) await lab.do(action)
      } catch (error) {
        if (!(error instanceof ReaderError)) throw error
        problems.push(`${text}, at ${at}s: ${error.message}`)
      }
    }
    const lastStepAt = lab.seconds()
    const verdicts = () =>
      scenario.promises.map((promise) => ({
        promise,
        verdict: promise.verdict({ events, lanes: lab.lanes, lastStepAt, now: lab.seconds() }),
      }))
    const isDecided = ({ is }: Verdict) => is !== 'open'
    const endsAt = began + scenario.ends
    while (lab.seconds() < endsAt && !stop?.aborted) {
      const now = verdicts()
      if (
        now.some(({ verdict }) => verdict.is === 'broken') ||
        now.every(({ verdict }) => isDecided(verdict))
      )
        break
      await sleep(LOOKS_EVERY_MS)
    }
    lab.history() // hands on what is under way
    const results = verdicts().map(({ promise: { text, isLasting }, verdict: { is, why } }) => ({
      promise: text,
      kept: is === 'kept' || (isLasting && is === 'open'),
      why,
    }))
    for (const result of results) lab.checked(result)
    return { results, problems }
  } finally {
    await lab.close()
    await recorder?.close()
  }
}

/** Waits for a moment of the lab's time. */
async function until(lab: Lab, at: number, stop: AbortSignal | undefined): Promise<void> {
  const waitMs = ((at - lab.seconds()) * 1000) / lab.speed
  if (waitMs > 0) await Promise.race([sleep(waitMs, undefined, { ref: true }), aborted(stop)])
}

function aborted(stop: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (stop?.aborted) resolve()
    else stop?.addEventListener('abort', () => resolve(), { once: true })
  })
}

function replaceIn(folder: string, { replace }: Changes): void {
  if (!replace) return
  const file = join(folder, 'chapter', replace.in)
  const source = readFileSync(file, 'utf8')
  writeFileSync(
    file,
    source.replace(replace.text, () => replace.with),
  )
}

function headerOf({ chapterName: chapter, lanes, seed, speed }: Lab, { name }: Scenario, control: boolean) {
  return {
    version: 1 as const,
    chapter,
    lanes: [...lanes],
    seed,
    speed,
    began: new Date().toISOString(),
    scenario: control ? `${name}, the control` : name,
  }
}

function toldChanges({ chapter, without, replace }: Changes): string {
  if (chapter !== undefined) return `the programs are those of ${findChapter(chapter).name}`
  if (without !== undefined) return `every program is without ${without}`
  return `"${replace?.text}" of ${replace?.in} is "${replace?.with}"`
}
