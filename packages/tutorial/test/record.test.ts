import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Cast, castLines, readCast } from '../src/cast.ts'
import { allChapters, type Chapter } from '../src/chapters.ts'
import { differenceBetween, normalized } from '../src/console-blocks.ts'
import { isAlive } from '../src/ends-well.ts'
import { FIXED_PORTS, programEnvironment } from '../src/environment.ts'
import { ChapterCopy, chapterTest, hasPython, isListening, Running } from '../src/harness.ts'
import { RECORDINGS_FOLDER, recordRun } from '../src/record.ts'
import { ROOT } from '../src/repository.ts'
import { bytesOf, type WireRecording } from '../src/wire.ts'

const chapters = allChapters()
const withSlaves = chapters.filter(({ programs }) => programs.includes('slave'))

const castFile = ({ name }: Chapter) => join(RECORDINGS_FOLDER, `${name}.cast`)
const wireFile = ({ name }: Chapter) => join(RECORDINGS_FOLDER, `${name}.wire.json`)
const committedCast = (chapter: Chapter) => readCast(readFileSync(castFile(chapter), 'utf8'))
const committedWire = (chapter: Chapter): WireRecording => JSON.parse(readFileSync(wireFile(chapter), 'utf8'))

test('each chapter has its recordings, and there are no others', () => {
  const expected = [...chapters.map(castFile), ...withSlaves.map(wireFile)]
  const missing = expected
    .filter((file) => !existsSync(file))
    .map((file) => `${relative(ROOT, file)} is missing: pnpm record makes it`)
  expect(missing.join('\n')).toBe('')
  expect(readdirSync(RECORDINGS_FOLDER).map((file) => join(RECORDINGS_FOLDER, file))).toEqual(expected.sort())
})

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
  const copy = await ChapterCopy.make(chapter.name)
  try {
    // As the chapter comes: the recording says which of its ports are others here.
    await copy.configure({ port: 12_345 })
    const ports = FIXED_PORTS.map((port) => `${port}:${copy.port}`).join(',')
    const { cast, wire } = await recordRun({ ...chapter, folder: copy.folder }, { speed, ports })
    const problems: string[] = []
    const hold = (file: string, difference: string | undefined) => {
      if (difference === undefined) return
      problems.push(
        `${relative(ROOT, file)} is stale (pnpm record ${chapter.number} mends it): the chapter ${difference}`,
      )
    }
    hold(castFile(chapter), differenceOfCasts(committedCast(chapter), cast))
    if (wire) hold(wireFile(chapter), differenceBetween(storyOf(committedWire(chapter)), storyOf(wire)))
    return problems
  } finally {
    await copy.remove()
  }
}

function differenceOfCasts(committed: Cast, today: Cast): string | undefined {
  const shown = (cast: Cast) => {
    const lines = castLines(cast)
    return [
      `the terminal: ${JSON.stringify({ ...cast.header, timestamp: 0 })}`,
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
 * Each line once, in the order in which they came first, with how often it came: a master says the same of
 * each slave, in the same order, but which slave's turn it is, nobody knows.
 */
function counted(lines: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const line of lines.map(normalized)) counts.set(line, (counts.get(line) ?? 0) + 1)
  return [...counts].map(([line, count]) => (count > 1 ? `${line} (${count} times)` : line))
}

/** What happened on each slave's connection, as lines that begin with the slave. How bytes were cut into pieces is chance. */
function storyOf({ lanes, connections, events }: WireRecording): string[] {
  const [, ...slaves] = lanes
  return [
    ...lanes,
    ...slaves.flatMap((lane) => {
      const lines: string[] = []
      let pending = ''
      let speaker = ''
      const flush = () => {
        for (const message of pending.split(/(?<=\r)/)) {
          if (message) lines.push(`${lane} | ${speaker} sends ${escaped(message)}`)
        }
        pending = ''
      }
      for (const event of events.filter(({ connection }) => connections[connection]?.lane === lane)) {
        if (event.type !== 'bytes' || event.from !== speaker) flush()
        speaker = event.from
        if (event.type === 'bytes') pending += bytesOf(event).toString('latin1')
        else lines.push(`${lane} | ${event.type} by ${event.from}${'reset' in event ? ', by a reset' : ''}`)
      }
      flush()
      return lines
    }),
  ]
}

/** Carriage returns and colours made visible. */
function escaped(text: string): string {
  return text.replaceAll('\r', '\\r').replaceAll('\u001b', '\\e')
}

describe.for(chapters)('the recording of $name', (chapter) => {
  test('is asciicast v2, and begins with the command', () => {
    const text = readFileSync(castFile(chapter), 'utf8')
    expect(text.endsWith('\n')).toBe(true)
    const { header, events } = readCast(text)
    expect(header).toEqual({
      version: 2,
      width: expect.any(Number),
      height: expect.any(Number),
      timestamp: expect.any(Number),
      title: `${chapter.name.slice(0, 2)} ${chapter.title}`,
      env: { TERM: 'xterm-256color' },
    })
    const slaves = chapter.programs.includes('slave') ? ' --slaves 2' : ''
    expect(events[0]).toEqual([0, 'o', `$ pnpm --filter ${chapter.name} start${slaves} --for 12s\r\n`])
    for (const event of events) {
      expect(event).toEqual([expect.any(Number), 'o', expect.stringMatching(/./)])
    }
    const times = events.map(([at]) => at)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(castLines({ header, events }).at(-1)?.text).toMatch(/: Stopped$/)
  })

  test('fits on its screen', () => {
    const { header, events } = committedCast(chapter)
    const rows = castLines({ header, events }).map(({ text }) => Math.ceil(text.length / header.width))
    expect(rows.reduce((sum, count) => sum + count, 0)).toBeLessThan(header.height)
  })

  test('names no folder of the machine that it was made on', () => {
    const files = [castFile(chapter), wireFile(chapter)].filter((file) => existsSync(file))
    for (const file of files) expect(readFileSync(file, 'utf8')).not.toMatch(/(^|[\s"'(:])\/\w/m)
  })
})

describe.for(withSlaves)('the wire of $name', (chapter) => {
  const { connections, events } = committedWire(chapter)
  const masterLines = castLines(committedCast(chapter)).filter(({ text }) => text.startsWith('master '))
  const logged = (end: string) => masterLines.filter(({ text }) => text.endsWith(end)).map(({ at }) => at)

  test('has what happened in the order of time', () => {
    const times = events.map(({ at }) => at)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })

  test('has the connections that the master logged, not before they were opened', () => {
    expect(connections).toHaveLength(2)
    for (const [index, { address }] of connections.entries()) {
      const opened = events.find(({ type, connection }) => type === 'opened' && connection === index)?.at
      expect(logged(`Got client at ${address}`)).toEqual([expect.toSatisfy((at) => at >= (opened ?? at + 1))])
    }
  })

  test('has the messages that the master logged, none before it was sent', () => {
    const sent = new Map<string, number[]>()
    for (const event of events) {
      if (event.type !== 'bytes') continue
      const content = contentOf(event.text ?? '')
      sent.set(content, [...(sent.get(content) ?? []), event.at])
    }
    expect(sent.size).toBeGreaterThanOrEqual(4)
    for (const [content, times] of sent) {
      expect([content, logged(content)]).toEqual([
        content,
        times.map((sent) => expect.toSatisfy((at) => at >= sent)),
      ])
    }
  })
})

/** What a master logs of a message: its text, or the JSON of what it carries. */
function contentOf(message: string): string {
  if (!message.endsWith('\r')) return message
  const { msg, payload = msg } = JSON.parse(message)
  return typeof payload === 'string' ? payload : JSON.stringify(payload)
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
        env: programEnvironment({ ports: `31415:${chapter.port}`, speed: 1 }),
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
    const heartbeats = (await chapter.log('master.log')).filter(({ msg }) => /^I am/.test(String(msg)))
    expect(heartbeats.length).toBeLessThan(4)
  })

  test('a run that fails leaves no file, and what it printed is told', async ({ chapter }) => {
    await chapter.standInMaster() // has the port
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
