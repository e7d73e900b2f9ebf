/**
 * What happened in a lab, as a file: JSON lines, the first about the run and then one for each event, written while it
 * happens. It is bounded, and says itself what was left out.
 */

import { once } from 'node:events'
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { castLines, readCast } from '../record/cast.ts'
import type { WireRecording } from '../record/wire.ts'
import { textOfFile } from '../workspace/files.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import type { LabEvent } from './events.ts'
import { fromWire, type Header, type LeftOut, type Recording, RecordingLines } from './recording-lines.ts'

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

/**
 * Reads a recording of `pnpm lab`, or of `pnpm record`.
 *
 * @throws ReaderError when it is neither, or damaged: where, and what is wrong
 */
export async function readRecording(file: string): Promise<Recording> {
  const recording = new RecordingLines(file)
  let isFirst = true
  for await (const line of createInterface({
    input: await opened(file),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    if (isFirst && /^\{"chapter":.*,$/.test(line)) return readWire(file)
    isFirst = false
    recording.add(line)
  }
  return recording.end()
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

/** What `pnpm record` writes: the wire, and in the file beside it what the terminal showed. */
function readWire(file: string): Recording {
  let wire: WireRecording
  try {
    wire = JSON.parse(textOfFile(file) ?? '')
  } catch (error) {
    throw new ReaderError(`${file} is damaged: ${(error as Error).message}`)
  }
  const cast = textOfFile(file.replace(/\.wire\.json$/, '.cast'))
  const lines = cast === undefined || !file.endsWith('.wire.json') ? [] : castLines(readCast(cast))
  return fromWire(wire, file, lines)
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
