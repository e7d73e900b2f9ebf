/**
 * How a recording is read, line by line, wherever its lines come from: in the terminal, and on the site. It is JSON lines:
 * the first about the run, and then one for each event.
 */
import { array, literal, looseObject, number, optional, picklist, safeParse, string } from 'valibot'
import type { WireRecording } from '../record/wire.ts'
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
export interface LeftOut {
  leftOut: number
  at: number
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

/** Takes the lines of a recording, and gives what they say. */
export class RecordingLines {
  readonly #file: string
  readonly #events: LabEvent[] = []
  #header: Recording['header'] | undefined
  #leftOut = 0
  #count = 0
  /** Why a line is wrong. It may be the last of one whose lab was killed, and then it may be a part of one. */
  #broken: string | undefined

  /** @param file how errors call it */
  constructor(file: string) {
    this.#file = file
  }

  /** @throws ReaderError when it is no recording, or damaged: where, and what is wrong */
  add(line: string): void {
    if (this.#broken !== undefined) throw new ReaderError(this.#broken)
    this.#count += 1
    const value = parsed(line)
    if (!this.#header) this.#header = headerOf(value, this.#file)
    else if (typeof value === 'object' && value !== null && 'leftOut' in value)
      this.#leftOut += Number(value.leftOut)
    else if (safeParse(EventSchema, value).success) this.#events.push(value as LabEvent)
    else
      this.#broken = `${this.#file}:${this.#count}: this line is no event of a recording, so the file is damaged.`
  }

  /** @throws ReaderError when there was no line */
  end(): Recording {
    if (!this.#header) throw new ReaderError(`${this.#file} is empty: it is no recording.`)
    return { header: this.#header, events: this.#events.sort((a, b) => a.at - b.at), leftOut: this.#leftOut }
  }
}

/**
 * What `pnpm record` has taken down, as a recording of the lab.
 *
 * @param file how errors call it
 * @param lines what the terminal showed, where that is known
 * @throws ReaderError when it is damaged
 */
export function fromWire(
  { chapter, lanes, connections, events }: WireRecording,
  file: string,
  lines: readonly { at: number; text: string }[] = [],
): Recording {
  if (![lanes, connections, events].every(Array.isArray))
    throw new ReaderError(`${file} is damaged: it has no lanes, connections or events.`)
  const peers = new Map(
    events.flatMap(({ type, from, to }) => (type === 'opened' ? [[from, to] as const] : [])),
  )
  const programOf = (name: string) => name.replace(/ \d+$/, '')
  const said = lines.flatMap(({ at, text }): LabEvent[] => {
    const [, lane = '', said = ''] = /^(.+?) +\| (.*)$/.exec(text) ?? []
    return lanes.includes(lane) ? [{ type: 'line', at, lane, text: said }] : []
  })
  return {
    header: {
      chapter,
      lanes: lanes.map((name) => {
        const peer = peers.get(name)
        return { name, program: programOf(name), ...(peer !== undefined && { connectsTo: programOf(peer) }) }
      }),
    },
    events: [...events, ...said].sort((a, b) => a.at - b.at),
    leftOut: 0,
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function headerOf(value: unknown, file: string): Recording['header'] {
  const { success, output } = safeParse(HeaderSchema, value)
  if (success) return output as Recording['header']
  const { version } = (value ?? {}) as { version?: unknown }
  throw new ReaderError(
    typeof version === 'number' && version > 1
      ? `${file} is a recording of version ${version}, and this lab reads version 1: it is newer than this repository.`
      : `${file} is no recording: pnpm lab writes one (--record FILE), and so does pnpm record (NAME.wire.json).`,
  )
}
