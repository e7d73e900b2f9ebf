import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { allChapters, type Chapter } from '../src/chapters/chapters.ts'
import { differenceBetween } from '../src/checks/console-blocks.ts'
import { ChapterCopy, chapterTest, hasPython, isAlive, isListening, Running } from '../src/harness/harness.ts'
import { type Cast, castLines, readCast } from '../src/record/cast.ts'
import { RECORDINGS_FOLDER, recordRun } from '../src/record/record.ts'
import { bytesOf, type WireRecording } from '../src/record/wire.ts'
import { freePorts, programEnvironment } from '../src/run/environment.ts'
import { isOfRoster, normalized } from '../src/texts/normalized.ts'
import { ROOT } from '../src/workspace/repository.ts'

const chapters = allChapters()

const castFile = ({ name }: Chapter) => join(RECORDINGS_FOLDER, `${name}.cast`)
const wireFile = ({ name }: Chapter) => join(RECORDINGS_FOLDER, `${name}.wire.json`)
const committedCast = (chapter: Chapter) => readCast(readFileSync(castFile(chapter), 'utf8'))
const committedWire = (chapter: Chapter): WireRecording => JSON.parse(readFileSync(wireFile(chapter), 'utf8'))

describe.skipIf(!hasPython())('each recording is what its chapter does today', () => {
  test.concurrent.for(chapters)('$name', async (chapter, { expect }) => {
    let problems = await staleness(chapter)
    // On a busy machine, seconds that pass ten times as fast leave too little time to say a line in.
    if (problems.length > 0) problems = await staleness(chapter, { speed: 1 })
    expect(problems.join('\n')).toBe('')
  })
})

/** What of a chapter's recordings does not hold any more, a text for each file. */
async function staleness(chapter: Chapter, { speed = 4 } = {}): Promise<string[]> {
  const copy = await ChapterCopy.make(chapter.name, { ports: 'own' })
  try {
    const ports = await freePorts([chapter])
    const { cast, wire } = await recordRun({ ...chapter, folder: copy.folder }, { speed, ports })
    const problems: string[] = []
    const hold = (file: string, difference: string | undefined) => {
      if (difference === undefined) return
      problems.push(
        `${relative(ROOT, file)} is stale (pnpm record ${chapter.number} mends it): the chapter ${difference}`,
      )
    }
    if (elects(chapter)) {
      hold(castFile(chapter), differenceBetween(saidByAll(committedCast(chapter)), saidByAll(cast)))
      if (wire) hold(wireFile(chapter), differenceBetween(committedWire(chapter).lanes, wire.lanes))
      return problems
    }
    hold(castFile(chapter), differenceOfCasts(committedCast(chapter), cast))
    if (wire) hold(wireFile(chapter), differenceBetween(storyOf(committedWire(chapter)), storyOf(wire)))
    return problems
  } finally {
    await copy.remove()
  }
}

/** Whether all programs of a kind are alike, and connect to each other: which of them does what is decided anew in each run. */
function elects({ programs }: Chapter): boolean {
  return programs.some(({ name, connectsTo }) => connectsTo === name)
}

/** What they say whoever is elected, each once, and in any order. */
const ALWAYS =
  /\(started, pid|Made a key for each|Votes as |Listening on |Reaches .* 5 of 5| leads in term 1$|Leads in term 1,|Connected to | does tasks: |Serving the page|Asked to stop|Stopped$/

function saidByAll(cast: Cast): string[] {
  const lines = castLines(cast).map(({ text }) => text)
  const always = lines.filter((line) => ALWAYS.test(line)).map(normalized)
  // Which of the nodes says it, and which file is its own.
  const unnumbered = always.map((line) => line.replace(/^node \d/, 'node N').replace(/-\d+\.json/, '-N.json'))
  return [...new Set(unnumbered)].toSorted()
}

function differenceOfCasts(committed: Cast, today: Cast): string | undefined {
  const shown = (cast: Cast) => {
    const lines = castLines(cast)
    return [
      `the terminal: ${JSON.stringify({ ...cast.header, timestamp: 0, height: 0 })}`,
      // What stands before the lines, colours and all.
      ...[...new Set(lines.map(({ raw }) => raw.split(' | ')[0] ?? ''))].toSorted().map(escaped),
      // Neither a tap's port nor a test's shows.
      ...new Set(lines.flatMap(({ text }) => /Connected to \S+(:\d+)/.exec(text)?.[1] ?? [])),
      ...counted(lines.map(({ text }) => text)),
    ]
  }
  return differenceBetween(shown(committed), shown(today))
}

/**
 * How often something that is said again and again has to be the same: the first program is up for longer when the last one
 * takes long to start, as on a busy machine, and then it says it once more.
 */
const COUNTED = 3

/**
 * Each line once, in the order in which they came first, with how often it came: a master says the same of
 * each slave, in the same order, but which slave's turn it is, nobody knows. What a roster says of who is here is left out.
 */
function counted(lines: readonly string[]): string[] {
  const counts = new Map<string, number>()
  const others = lines.filter((line) => !isOfRoster(line))
  // What a node sends by a clock of its own comes before or after something else, and so often.
  const isByClock = (line: string) => /: Received vitals from /.test(line)
  const byClock = new Set(others.filter(isByClock).map(normalized))
  for (const line of others.filter((line) => !isByClock(line)).map(normalized))
    counts.set(line, (counts.get(line) ?? 0) + 1)
  return [...[...counts].map(([line, count]) => told(line, count)), ...byClock]
}

function told(line: string, count: number): string {
  if (count === 1) return line
  return count < COUNTED ? `${line} (${count} times)` : `${line} (${COUNTED} times or more)`
}

/** What a node sends by a clock of its own: before or after something else, and how often, is chance. */
const AT_SOME_TIME = new Set(['vitals', 'alarms'])

/**
 * What happened on each program's connections, as lines that begin with its name. How bytes were cut into pieces is chance, and
 * so is which changes of a roster come together.
 */
function storyOf({ lanes, connections, events }: WireRecording): string[] {
  const bytes = events.filter((event) => event.type === 'bytes')
  const isEncrypted = bytes.filter(({ base64 }) => base64 !== undefined).length > bytes.length / 2
  return [
    ...lanes,
    ...lanes.flatMap((lane) => {
      const lines: string[] = []
      let pending = ''
      let speaker = ''
      const atSomeTime = new Set<string>()
      const flush = () => {
        if (isEncrypted && pending) atSomeTime.add(`${lane} | ${speaker} sends what nobody else can read`)
        for (const signed of isEncrypted ? [] : pending.split(/(?<=\r)/)) {
          const message = unsigned(signed)
          const [, type = ''] = /^(?:[<>] )?\{"type":"(\w+)"/.exec(message) ?? []
          if (AT_SOME_TIME.has(type)) atSomeTime.add(`${lane} | ${speaker} sends ${type} at some time`)
          else if (message && type !== 'roster') lines.push(`${lane} | ${speaker} sends ${escaped(message)}`)
        }
        pending = ''
      }
      for (const event of events.filter(({ connection }) => connections[connection]?.lane === lane)) {
        if (event.type !== 'bytes' || event.from !== speaker) flush()
        speaker = event.from
        if (event.type === 'bytes') pending += bytesOf(event).toString('latin1')
        else {
          const line = `${lane} | ${event.type} by ${event.from}${'reset' in event ? ', by a reset' : ''}`
          // Both ends of one that is encrypted say the end of it, whichever comes first.
          if (isEncrypted && event.type === 'ended') atSomeTime.add(line)
          else lines.push(line)
        }
      }
      flush()
      const told = lines.filter((line, index) => {
        const same = lines.slice(0, index).filter((before) => normalized(before) === normalized(line))
        return same.length < COUNTED - 1
      })
      return [...told, ...[...atSomeTime].toSorted()]
    }),
  ]
}

/** A message without what is made up for its connection, and what is made of that. */
function unsigned(message: string): string {
  return message
    .replace(/^[0-9a-f]{16} \S+ ([<>]) \d+ [\w-]{43} /, '$1 ')
    .replace(/"node":"([a-z]+)-\d+"/, '"node":"$1-N"') // which of several it is
    .replace(/"nonce":"[\w-]{43}"/, '"nonce":"NONCE"')
}

/** Carriage returns and colours made visible. */
function escaped(text: string): string {
  return text.replaceAll('\r', '\\r').replaceAll('\u001b', '\\e')
}

describe.skipIf(!hasPython())('pnpm record', () => {
  const test = chapterTest('03-sockets')

  /** Runs the command in a copy of a chapter, on the copy's port, in real time. */
  function record(chapter: ChapterCopy): { running: Running; folder: string } {
    const folder = mkdtempSync(join(tmpdir(), 'recordings-'))
    const tutorial = join(ROOT, 'packages/tutorial/bin/tutorial.js')
    const running = new Running(
      spawn(process.execPath, [tutorial, 'record', '--to', folder], {
        cwd: chapter.folder,
        detached: true,
        env: programEnvironment({ ports: new Map([[31_415, chapter.port]]), speed: 1 }),
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    )
    onTestFinished(async () => {
      await running.kill()
      rmSync(folder, { recursive: true })
    })
    return { running, folder }
  }

  test('Ctrl-C in the midst of it leaves no file, and no process', async ({ chapter }) => {
    const { running, folder } = record(chapter)
    const connected = async () =>
      (await chapter.log('slave.log').catch(() => [])).filter(({ msg }) => /^Connected/.test(String(msg)))
    await expect.poll(connected, { timeout: 20_000 }).toHaveLength(2)
    const pids = [...(await chapter.log('master.log')), ...(await chapter.log('slave.log'))].map(({ pid }) =>
      Number(pid),
    )
    await running.stop('SIGINT', 'group')
    expect(running.lines).toEqual([
      '$ pnpm --filter 03-sockets start --slaves 2 --for 12s',
      'Stopped: nothing was written for 03-sockets.',
    ])
    expect(running.exitCode).toBe(130)
    expect(readdirSync(folder)).toEqual([])
    expect(pids.filter(isAlive)).toEqual([])
    expect(await isListening(chapter.port)).toBe(false)
    // It did not wait for the end of the run: two heartbeats of each slave.
    const heartbeats = (await chapter.log('master.log')).filter(({ msg }) => /: I am/.test(String(msg)))
    expect(heartbeats.length).toBeLessThan(4)
  })

  test('a run that fails leaves no file, and what it printed is told', async ({ chapter }) => {
    await chapter.standIn() // has the port
    const { running, folder } = record(chapter)
    await running.ends()
    expect(running.exitCode).toBe(2)
    expect(running.lines).toContain(
      '03-sockets ended with exit code 1, so nothing was written for it. It printed:',
    )
    expect(running.lines.join('\n')).toMatch(/Port \d+ is taken on 127\.0\.0\.1: /)
    expect(readdirSync(folder)).toEqual([])
  })
})
