/** The decoder against split2, an old hand at cutting streams, where both should find the same. */
import { randomInt } from 'node:crypto'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import split2 from 'split2'
import { expect, test } from 'vitest'
import { Decoder, FrameError } from '../src/json-lines.ts'

const seed = Number(process.env['FUZZ_SEED'] ?? randomInt(1_000_000_000))
const numRuns = Math.max(300, Number(process.env['FUZZ_STREAMS'] ?? 0) / 10)
const settings = { seed, numRuns }

const TIMEOUT_MS = 30_000 + 10 * numRuns

/** What a value is after a journey through JSON: without -0. */
const jsonValue = fc.jsonValue({ stringUnit: 'binary' }).map((value) => JSON.parse(JSON.stringify(value)))

const pieces = fc.array(
  fc.oneof(
    jsonValue.map((value) => `${JSON.stringify(value)}\r`),
    jsonValue.map((value) => JSON.stringify(value)),
    fc.string({ unit: 'binary', maxLength: 5 }),
    fc.constantFrom('\r', '\n', ' ', '"', 'null\r'),
  ),
  { maxLength: 30 },
)

const cuts = fc.array(fc.nat(300), { maxLength: 40 })

test(
  `takes the same messages as split2 out of any stream of JSON, however it is cut (seed ${seed})`,
  async () => {
    // split2 takes null for the end of the stream, and an empty frame for one that is to be skipped.
    const values = fc.array(jsonValue.filter((value) => value !== null))
    await fc.assert(
      fc.asyncProperty(values, cuts, async (values, at) => {
        const chunks = cut(Buffer.from(values.map((value) => `${JSON.stringify(value)}\r`).join('')), at)
        const right = await Readable.from(chunks, { objectMode: false })
          .pipe(split2('\r', (frame) => JSON.parse(frame)))
          .toArray()
        expect(decode(chunks).messages).toEqual(right)
      }),
      settings,
    )
  },
  TIMEOUT_MS,
)

test(
  `finds the frames that split2 finds in any text, up to the first that is bad (seed ${seed})`,
  async () => {
    await fc.assert(
      fc.asyncProperty(pieces, cuts, async (pieces, at) => {
        const stream = Buffer.from(pieces.join(''))
        const frames: string[] = await Readable.from(cut(stream, at), { objectMode: false })
          .pipe(split2('\r'))
          .toArray()
        // What stands after the last separator is a frame to split2, and none to the decoder.
        const isWhole = stream.length === 0 || stream.at(-1) === 0x0d
        if (!isWhole) frames.pop()
        const bad = frames.findIndex((frame) => !isJson(frame))
        const { messages, kind } = decode(cut(stream, at))
        expect(messages).toEqual((bad < 0 ? frames : frames.slice(0, bad)).map((frame) => JSON.parse(frame)))
        if (bad < 0) expect(kind).toBe(isWhole ? undefined : 'unfinished')
        else expect(kind).toBe(frames[bad] === '' ? 'empty' : 'not JSON')
      }),
      settings,
    )
  },
  TIMEOUT_MS,
)

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function decode(chunks: Buffer[]): { messages: unknown[]; kind: string | undefined } {
  const decoder = new Decoder()
  const messages: unknown[] = []
  try {
    for (const chunk of chunks) decoder.push(chunk, (message) => messages.push(message))
    decoder.end()
    return { messages, kind: undefined }
  } catch (error) {
    if (!(error instanceof FrameError)) throw error
    return { messages, kind: error.kind }
  }
}

function cut(stream: Buffer, at: number[]): Buffer[] {
  const places = [
    0,
    ...at.map((place) => Math.min(place, stream.length)).sort((a, b) => a - b),
    stream.length,
  ]
  return places
    .slice(1)
    .map((end, index) => stream.subarray(places[index], end))
    .filter(({ length }) => length > 0)
}
