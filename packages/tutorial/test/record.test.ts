import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { allChapters, type Chapter } from '../src/chapters/chapters.ts'
import { castLines, readCast } from '../src/record/cast.ts'
import { RECORDINGS_FOLDER } from '../src/record/record.ts'
import type { WireRecording } from '../src/record/wire.ts'
import { linesShown } from '../src/texts/lines-shown.ts'
import { normalized } from '../src/texts/normalized.ts'
import { ROOT } from '../src/workspace/repository.ts'

const chapters = allChapters()
const withWire = chapters.filter(({ programs }) => programs.some(({ connectsTo }) => connectsTo))
/** Those whose author has recorded them; a test names the others. */
const isRecorded = (chapter: Chapter) =>
  existsSync(castFile(chapter)) && (!withWire.includes(chapter) || existsSync(wireFile(chapter)))

const castFile = ({ name }: Chapter) => join(RECORDINGS_FOLDER, `${name}.cast`)
const wireFile = ({ name }: Chapter) => join(RECORDINGS_FOLDER, `${name}.wire.json`)
const committedCast = (chapter: Chapter) => readCast(readFileSync(castFile(chapter), 'utf8'))
const committedWire = (chapter: Chapter): WireRecording => JSON.parse(readFileSync(wireFile(chapter), 'utf8'))

test('each chapter has its recordings, and there are no others', () => {
  const expected = [...chapters.map(castFile), ...withWire.map(wireFile)]
  const missing = expected
    .filter((file) => !existsSync(file))
    .map((file) => `${relative(ROOT, file)} is missing: pnpm record makes it`)
  expect(missing.join('\n')).toBe('')
  expect(readdirSync(RECORDINGS_FOLDER).map((file) => join(RECORDINGS_FOLDER, file))).toEqual(expected.sort())
})

describe.for(chapters.filter(isRecorded))('the recording of $name', (chapter) => {
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
    const many = chapter.programs.flatMap(({ many, copies }) => (many && copies < 2 ? ` --${many} 2` : []))
    const command = `$ pnpm --filter ${chapter.name} start${many.join('')} --for 12s\r\n`
    expect(events[0]).toEqual([0, 'o', command])
    for (const event of events) {
      expect(event).toEqual([expect.any(Number), 'o', expect.stringMatching(/[\s\S]/)])
    }
    const times = events.map(([at]) => at)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(castLines({ header, events }).at(-1)?.text).toMatch(/: Stopped$/)
  })

  test('has the lines that the README shows, of each slave', () => {
    // Whether it is what the chapter does today is held against a run by the tests that take longer.
    const said = castLines(committedCast(chapter)).map(({ text }) => text)
    const withoutNumber = said.map(withoutCopy)
    const recorded = new Set(withoutNumber.map(normalized).filter((line) => !line.startsWith('$')))
    const { lines, areAll } = linesShown(chapter.name)
    const shown = [...new Set(lines.map(withoutCopy))].sort()
    expect([...recorded].sort()).toEqual(areAll ? shown : expect.arrayContaining(shown))
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

describe.for(withWire.filter(isRecorded))('the wire of $name', (chapter) => {
  const { connections, events, lanes } = committedWire(chapter)
  const lines = castLines(committedCast(chapter))
  /** When a program has printed a line that ends so. */
  const logged = (lane: string, end: string) =>
    lines.filter(({ text }) => text.startsWith(`${lane} `) && text.endsWith(end)).map(({ at }) => at)

  test('has what happened in the order of time', () => {
    const times = events.map(({ at }) => at)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })

  test('has a connection of each program that connects, and none is logged before it was opened', () => {
    const connect = lanes.filter((lane) =>
      chapter.programs.some(
        ({ name, connectsTo }) => connectsTo && connectsTo !== name && lane.replace(/ \d+$/, '') === name,
      ),
    )
    expect(connections.map(({ lane }) => lane)).toEqual(expect.arrayContaining(connect))
    const times = connections.flatMap(({ address }, index) => {
      const opened = events.find(({ type, connection }) => type === 'opened' && connection === index)
      return logged(opened?.to ?? '', address).map((at) => at - (opened?.at ?? Number.POSITIVE_INFINITY))
    })
    expect(times.length).toBeGreaterThan(0)
    expect(times.filter((after) => after < 0)).toEqual([])
  })

  const bytes = events.filter(({ type }) => type === 'bytes')
  const isEncrypted =
    bytes.filter((event) => 'base64' in event && event.base64 !== undefined).length > bytes.length / 2

  test.runIf(isEncrypted)('shows nobody what is said', () => {
    for (const event of bytes) expect(JSON.stringify(event)).not.toMatch(/payload|hostname/)
  })

  test.skipIf(isEncrypted)('has the messages that their receivers logged, none before it was sent', () => {
    const sent = new Map<string, { to: string; content: string; times: number[] }>()
    for (const event of events) {
      if (event.type !== 'bytes') continue
      const content = contentOf(event.text ?? '')
      const known = sent.get(`${event.to} ${content}`)
      if (known) known.times.push(event.at)
      else sent.set(`${event.to} ${content}`, { to: event.to, content, times: [event.at] })
    }
    expect(sent.size).toBeGreaterThanOrEqual(4)
    const seen = [...sent.values()].filter(({ to, content }) => logged(to, content).length > 0)
    expect(seen.length).toBeGreaterThanOrEqual(4)
    for (const { to, content, times } of seen) {
      const at = logged(to, content)
      // The same may have come as an answer, too, which is not logged.
      expect(at.length, content).toBeLessThanOrEqual(times.length)
      expect([content, at]).toEqual([
        content,
        at.map((_, index) => expect.toSatisfy((at) => at >= (times[index] ?? Number.POSITIVE_INFINITY))),
      ])
    }
  })
})

/** A cluster's line without the number of the copy that said it. */
function withoutCopy(line: string): string {
  return line.replace(/^(\w+)(?: \d+)? +\|/, '$1 |')
}

/** What may stand before a message, to be checked with it: connection, node, direction, number, signature. */
const SIGNATURE = /^[0-9a-f]{16} \S+ [<>] \d+ [\w-]{43} /

/** What a program logs of a message, if it does: its text, or the JSON of what it carries. */
function contentOf(message: string): string {
  const frame = message.replace(SIGNATURE, '')
  if (!frame.endsWith('\r') || frame === '\r') return frame
  const { msg, payload = msg } = JSON.parse(frame)
  return typeof payload === 'string' ? payload : JSON.stringify(payload)
}
