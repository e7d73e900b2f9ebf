/**
 * What happened in a lab, as a file: JSON lines, the first about the run and then one for each event, written while it
 * happens. It is bounded, and says itself what was left out.
 */

import { once } from 'node:events'
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import {
  array,
  type InferOutput,
  literal,
  looseObject,
  number,
  optional,
  picklist,
  safeParse,
  string,
} from 'valibot'
import { castLines, readCast } from '../record/cast.ts'
import type { WireRecording } from '../record/wire.ts'
import { textOfFile } from '../workspace/files.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import type { LabEvent, Lane } from './events.ts'

/** What the first line says. */
export interface Header {
  /** The format: 1. A later one may have events that this one does not. */
  version: 1
  /** The chapter: `03-sockets`. */
  chapter: string
  /** Its nodes, in the order in which they start. */
  lanes: Lane[]
  /** What chance was made of. */
  seed: number
  /** How many times as fast as real time it went. */
  speed: number
  /** When it began, as a date. */
  began: string
  /** The scenario, if it was one. */
  scenario?: string
}

/** A line that tells how many events were left out since the last such line: from where on in time. */
interface LeftOut {
  leftOut: number
  at: number
}

/** How many bytes a recording has at most. */
export const MOST_BYTES = 48_000_000

/** How many of them are kept free for what happens seldom and matters: faults, states, promises. */
const KEPT_FREE = 2_000_000

/** The longest content of a message that is kept whole, in characters. */
const LONGEST_CONTENT = 4_000

/** After how many events it is told again that some were left out. */
const TELLS_AFTER = 1_000

/** Writes a recording. */
export class Recorder {
  readonly file: string
  readonly #stream: WriteStream
  readonly #mostBytes: number
  readonly #onTold: (line: string) => void
  #bytes = 0
  #leftOut = 0
  #leftOutSince = 0
  #isFull = false
  #failed: string | undefined

  /**
   * @param onTold is told what the reader should know: that something is left out, or that nothing can be written
   * @throws ReaderError when the file cannot be written
   */
  static async open(
    file: string,
    header: Header,
    onTold: (line: string) => void,
    mostBytes = MOST_BYTES,
  ): Promise<Recorder> {
    const stream = createWriteStream(file)
    try {
      await once(stream, 'open')
    } catch (error) {
      throw new ReaderError(
        `The recording cannot be written: ${(error as Error).message}. --record FILE says where it goes.`,
      )
    }
    const recorder = new Recorder(file, stream, mostBytes, onTold)
    recorder.#write(header)
    return recorder
  }

  private constructor(file: string, stream: WriteStream, mostBytes: number, onTold: (line: string) => void) {
    this.file = file
    this.#stream = stream
    this.#mostBytes = mostBytes
    this.#onTold = onTold
    stream.on('error', (error) => {
      if (this.#failed === undefined) onTold(`The recording is not written any more: ${error.message}`)
      this.#failed = error.message
    })
  }

  add(events: readonly LabEvent[]): void {
    for (const event of events) {
      const isSeldom = event.type === 'state' || event.type === 'done' || event.type === 'checked'
      // A disk that is slower than the cluster must not fill the memory.
      const isSlow = this.#stream.writableLength > 16_000_000
      if (isSlow || this.#bytes > this.#mostBytes - (isSeldom ? 0 : Math.min(KEPT_FREE, this.#mostBytes / 2)))
        this.#leaveOut(event.at)
      else this.#write(shortened(event))
    }
  }

  /** Resolves when all of it is in the file. */
  async close(): Promise<void> {
    if (this.#leftOut > 0) this.#tellLeftOut()
    if (this.#failed !== undefined) return
    await new Promise<void>((resolve) => {
      this.#stream.once('error', () => resolve())
      this.#stream.end(resolve)
    })
  }

  #leaveOut(at: number): void {
    if (!this.#isFull) {
      this.#isFull = true
      this.#onTold(
        `The recording is full (${Math.round(this.#mostBytes / 1e6)} MB): from now on lines and messages are left out of it.`,
      )
    }
    if (this.#leftOut === 0) this.#leftOutSince = at
    this.#leftOut += 1
    if (this.#leftOut >= TELLS_AFTER && this.#bytes < this.#mostBytes) this.#tellLeftOut()
  }

  #tellLeftOut(): void {
    this.#write({ leftOut: this.#leftOut, at: this.#leftOutSince })
    this.#leftOut = 0
  }

  #write(line: Header | LabEvent | LeftOut): void {
    if (this.#failed !== undefined) return
    const text = `${JSON.stringify(line)}\n`
    this.#bytes += Buffer.byteLength(text)
    this.#stream.write(text)
  }
}

/** A recording that was read. */
export interface Recording {
  header: Pick<Header, 'chapter' | 'lanes'> & Partial<Header>
  events: LabEvent[]
  /** How many events were left out of it. */
  leftOut: number
}

const LaneSchema = looseObject({ name: string(), program: string(), connectsTo: optional(string()) })
const HeaderSchema = looseObject({
  version: literal(1),
  chapter: string(),
  lanes: array(LaneSchema),
  seed: optional(number()),
  speed: optional(number()),
})
const EventSchema = looseObject({
  type: picklist(['opened', 'bytes', 'ended', 'line', 'state', 'done', 'checked']),
  at: number(),
})

/**
 * Reads a recording of `pnpm lab`, or of `pnpm record`.
 *
 * @throws ReaderError when it is neither, or damaged: where, and what is wrong
 */
export async function readRecording(file: string): Promise<Recording> {
  let header: Recording['header'] | undefined
  const events: LabEvent[] = []
  let leftOut = 0
  let number = 0
  let broken: string | undefined
  const lines = createInterface({ input: await opened(file), crlfDelay: Number.POSITIVE_INFINITY })
  for await (const line of lines) {
    number += 1
    if (broken !== undefined) throw new ReaderError(broken)
    const value = parsed(line)
    if (number === 1) {
      if (/^\{"chapter":.*,$/.test(line)) return readWire(file)
      header = headerOf(value, file)
    } else if (typeof value === 'object' && value !== null && 'leftOut' in value)
      leftOut += Number(value.leftOut)
    else if (safeParse(EventSchema, value).success) events.push(value as LabEvent)
    // The last line of one whose lab was killed may be a part of one.
    else broken = `${file}:${number}: this line is no event of a recording, so the file is damaged.`
  }
  if (!header) throw new ReaderError(`${file} is empty: it is no recording.`)
  if (broken !== undefined && !broken.startsWith(`${file}:${number}:`)) throw new ReaderError(broken)
  return { header, events: events.sort((a, b) => a.at - b.at), leftOut }
}

async function opened(file: string) {
  const stream = createReadStream(file)
  try {
    await once(stream, 'open')
    return stream
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new ReaderError(
      code === 'ENOENT' ? `There is no file ${file}.` : `${file} cannot be read: ${message}`,
    )
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function headerOf(value: unknown, file: string): InferOutput<typeof HeaderSchema> & Recording['header'] {
  const { success, output } = safeParse(HeaderSchema, value)
  if (success) return output as InferOutput<typeof HeaderSchema> & Recording['header']
  const { version } = (value ?? {}) as { version?: unknown }
  throw new ReaderError(
    typeof version === 'number' && version > 1
      ? `${file} is a recording of version ${version}, and this lab reads version 1: it is newer than this repository.`
      : `${file} is no recording: pnpm lab writes one (--record FILE), and so does pnpm record (NAME.wire.json).`,
  )
}

/** What `pnpm record` writes: the wire, and in the file beside it what the terminal showed. */
function readWire(file: string): Recording {
  let wire: WireRecording
  try {
    wire = JSON.parse(textOfFile(file) ?? '')
  } catch (error) {
    throw new ReaderError(`${file} is damaged: ${(error as Error).message}`)
  }
  const { chapter, lanes, connections, events } = wire
  if (![lanes, connections, events].every(Array.isArray))
    throw new ReaderError(`${file} is damaged: it has no lanes, connections or events.`)
  const peers = new Map(
    events.flatMap(({ type, from, to }) => (type === 'opened' ? [[from, to] as const] : [])),
  )
  const programOf = (name: string) => name.replace(/ \d+$/, '')
  const cast = textOfFile(file.replace(/\.wire\.json$/, '.cast'))
  const lines = cast === undefined || !file.endsWith('.wire.json') ? [] : castLines(readCast(cast))
  return {
    header: {
      chapter: chapter ?? basename(file, '.wire.json'),
      lanes: lanes.map((name) => {
        const peer = peers.get(name)
        return { name, program: programOf(name), ...(peer !== undefined && { connectsTo: programOf(peer) }) }
      }),
    },
    events: [
      ...events,
      ...lines.flatMap(({ at, text }): LabEvent[] => {
        const [, name = '', said = ''] = /^(.+?) +\| (.*)$/.exec(text) ?? []
        return lanes.includes(name) ? [{ type: 'line', at, lane: name, text: said }] : []
      }),
    ].sort((a, b) => a.at - b.at),
    leftOut: 0,
  }
}

/** A message too long to be kept whole. */
function shortened(event: LabEvent): LabEvent {
  if (event.type !== 'bytes') return event
  const content = event.text ?? event.base64
  if (content.length <= LONGEST_CONTENT) return event
  return event.text !== undefined
    ? { ...event, text: `${event.text.slice(0, LONGEST_CONTENT)}... (${content.length} characters)` }
    : { ...event, base64: event.base64.slice(0, LONGEST_CONTENT) }
}
