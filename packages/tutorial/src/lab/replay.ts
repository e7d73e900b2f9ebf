/** A recording, played: to who watches, it is a cluster to which nothing can be done. */
import { ReaderError } from '../workspace/reader-error.ts'
import type { LabAction, LabEvent, Lane } from './events.ts'
import { Happenings } from './happenings.ts'
import { readRecording } from './recording.ts'
import type { Watched } from './watched.ts'

export interface ReplayOptions {
  /** How many times as fast as it was. Default: 1. */
  speed?: number
}

/** The longest that a timer waits, in ms: a part of a long pause. */
const LONGEST_WAIT_MS = 60_000

export class Replay implements Watched {
  readonly chapterName: string
  readonly lanes: readonly Lane[]
  /** How many events were left out of the recording. */
  readonly leftOut: number
  readonly commands = []
  /** Resolves when all of it was played, or it was closed. */
  readonly over: Promise<void>
  readonly #events: readonly LabEvent[]
  readonly #happenings: Happenings
  #next = 0
  #timer: NodeJS.Timeout | undefined
  #end: () => void = () => {}

  private constructor(
    { chapter, lanes }: { chapter: string; lanes: readonly Lane[] },
    events: readonly LabEvent[],
    leftOut: number,
    speed: number,
  ) {
    this.chapterName = chapter
    this.lanes = lanes
    this.leftOut = leftOut
    this.#events = events
    this.#happenings = new Happenings(speed)
    this.over = new Promise((resolve) => {
      this.#end = resolve
    })
    // Who listens does so from the beginning.
    this.#timer = setTimeout(() => this.#play(speed), 0)
  }

  /** @throws ReaderError when the file is no recording, or damaged */
  static async start(file: string, { speed = 1 }: ReplayOptions = {}): Promise<Replay> {
    const { header, events, leftOut } = await readRecording(file)
    return new Replay(header, events, leftOut, speed)
  }

  seconds(): number {
    return this.#happenings.seconds()
  }

  history(): readonly LabEvent[] {
    return this.#happenings.history()
  }

  onEvents(listener: (events: readonly LabEvent[]) => void): () => void {
    return this.#happenings.onEvents(listener)
  }

  async do(action: LabAction): Promise<void> {
    throw new ReaderError(
      `This is a recording, in which nothing can be done any more (${action.do}). pnpm lab ${Number.parseInt(this.chapterName, 10)} starts a cluster.`,
    )
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#happenings.close()
    this.#end()
  }

  #play(speed: number): void {
    const now = this.seconds()
    let next: LabEvent | undefined
    for (next = this.#events[this.#next]; next && next.at <= now; next = this.#events[++this.#next])
      this.#happenings.add(next)
    if (!next) {
      this.#happenings.close()
      this.#end()
      return
    }
    const waitMs = ((next.at - now) * 1000) / speed
    this.#timer = setTimeout(() => this.#play(speed), Math.min(LONGEST_WAIT_MS, Math.max(1, waitMs)))
  }
}
