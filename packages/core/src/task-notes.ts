/**
 * What happens to tasks, written to a journal: in order, gathered while the write before is on its way, and again when it
 * could not be written. Who must not hear of it before it is durable is told then.
 *
 * @since 0.24.0
 */
import type { Logger } from './logging.ts'
import { JournalOver, type TaskEvent, type TaskJournal } from './task-journal.ts'
import type { Task } from './task-records.ts'

/** How long to wait before what could not be written is tried again, in ms. */
const PAUSE_MS = 1_000

interface Note {
  event: TaskEvent
  then: (() => void) | undefined
}

/** @internal */
export interface TaskNotesOptions {
  journal: TaskJournal
  log: Logger
  /** Whether anything may be written now. */
  mayWrite: () => boolean
}

/**
 * Events on their way to a journal.
 *
 * @internal
 */
export class TaskNotes {
  readonly #options: TaskNotesOptions
  #notes: Note[] = []
  #writing = false
  #pause: NodeJS.Timeout | undefined
  #waiting: { resolve: () => void; reject: (error: unknown) => void }[] = []
  #isFailing = false
  /** Why nothing is written any more. */
  #over: JournalOver | undefined

  constructor(options: TaskNotesOptions) {
    this.#options = options
  }

  /** Notes an event, to be written with the next {@link flush}. `then` is called when it is durable. */
  add(event: TaskEvent, then?: () => void): void {
    if (!this.#over) this.#notes.push({ event, then })
  }

  /** Notes what has happened to a task. Until that is durable, it is what it was before for all who ask. */
  addOf(task: Task, event: TaskEvent, then?: () => void): void {
    task.noted = event
    this.add(event, () => {
      if (task.noted === event) task.noted = undefined
      setWritten(task, event)
      then?.()
    })
  }

  /** Begins to write what there is, unless a write is on its way: then that does it at its end. */
  flush(): void {
    if (this.#writing || this.#pause || this.#notes.length === 0 || !this.#options.mayWrite()) return
    const notes = this.#notes
    const waiting = this.#waiting
    this.#notes = []
    this.#waiting = []
    this.#writing = true
    this.#options.journal.write(notes.map(({ event }) => event)).then(
      () => {
        this.#writing = false
        if (this.#isFailing) this.#options.log.info('What becomes of tasks is written down again')
        this.#isFailing = false
        for (const { then } of notes) then?.()
        // Who began to wait during the write, and for nothing else, has waited for this one.
        if (this.#notes.length === 0) waiting.push(...this.#waiting.splice(0))
        for (const { resolve } of waiting) resolve()
        this.flush()
      },
      (error: unknown) => {
        this.#writing = false
        if (error instanceof JournalOver) {
          this.#over = error
          this.#notes = []
        } else if (!this.#isFailing)
          this.#options.log.warn(
            `What becomes of tasks cannot be written down, and is tried again each second: ${error instanceof Error ? error.message : error}`,
          )
        for (const { reject } of [...waiting, ...this.#waiting.splice(0)]) reject(error)
        if (this.#over) return
        this.#isFailing = true
        // How often something was tried is told again by the next try.
        const kept = notes.filter(({ event }) => event.kind !== 'tried')
        this.#notes = [...kept, ...this.#notes]
        this.#pause = setTimeout(() => {
          this.#pause = undefined
          this.flush()
        }, PAUSE_MS)
        this.#pause.unref()
      },
    )
  }

  /** Resolves when all is durable that is noted now. It is rejected when that could not be written at once. */
  async written(): Promise<void> {
    if (this.#over) throw this.#over
    if (this.#pause) throw new Error('the disk takes nothing now')
    if (this.#notes.length === 0 && !this.#writing) return
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.flush()
    })
  }
}

/**
 * A journal has an event of a task: by that it is so from now on, for all who ask while something else is on its way there.
 *
 * @internal
 */
export function setWritten(task: Task, event: TaskEvent): void {
  if (event.kind === 'tried') {
    const { attempts, lost, node } = event
    task.written = { state: node === undefined ? 'waiting' : 'running', attempts, lost, node }
  } else if (event.kind === 'ended' && event.state === 'failed') {
    const { state, attempts, lost, node, ms, failure: kind, reason } = event
    task.written = { state, attempts, lost, node, ms, kind, reason }
  } else task.written = undefined
}
