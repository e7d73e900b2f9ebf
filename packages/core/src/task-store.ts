/**
 * Tasks that outlive the program and the power: an append-only log of what becomes of them, in a folder of the program's
 * own. What {@link TaskStore.write} has taken is on the disk when it resolves; all that wait for the disk at the same time
 * share one synchronisation. A thread does it, so nobody in the program waits for a disk.
 *
 * @since 0.25.0
 */
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { stateFolder } from './state-folder.ts'
import type { TaskEvent, TaskJournal } from './task-journal.ts'
import { decodeEvent, encodeEvents, splitEvents } from './task-log-event.ts'
import type { TaskHistoryKeep } from './task-log-history.ts'
import type { TaskHistoryPage, TaskHistoryQuery } from './task-log-history-page.ts'
import type { EndedTask } from './task-log-table.ts'
import type { TaskReply, TaskRequest, TaskThreadOptions } from './task-store-worker.ts'
import { startThread } from './threads.ts'

export { type Salvaged, type SalvageOptions, salvageTaskStore } from './task-log-salvage.ts'
export type { EndedTask, TaskHistoryKeep, TaskHistoryPage, TaskHistoryQuery }

/** How many bytes are committed together. */
const COMMIT_BYTES = 4 * 1024 * 1024

/** How many bytes may wait for the disk. */
const MOST_WAITING_BYTES = 64 * 1024 * 1024

/** How many questions may wait. */
const MOST_QUESTIONS = 100

const KEEP: TaskHistoryKeep = { days: 30, mostMb: 300 }

export interface TaskStoreOptions {
  /** What its folder is called: `tasks` is `tasks` in the {@link stateFolder}. */
  name: string
  /**
   * Where is told what nobody waits for: that it cannot tidy up, that what was written last was mended, or that a part of the
   * history is damaged.
   */
  log: Logger
  /** What ends it, as {@link TaskStore.close} does. */
  stop: AbortSignal
  /** The folder that has its folder. Default: where systemd has made one for it (`STATE_DIRECTORY`), or `state` in the program's folder. */
  folder?: string
  /** How much of the history is kept. Default: 30 days, and 300 MB. */
  keep?: Partial<TaskHistoryKeep>
}

interface Waiting {
  bytes: Uint8Array<ArrayBuffer>
  resolve: () => void
  reject: (error: OperationalError) => void
}

/** A store of tasks, and its folder. {@link openTaskStore} makes it. */
export class TaskStore implements TaskJournal {
  /** Its folder. */
  readonly path: string
  /** How many tasks had not ended when it was opened: what waits in it while nobody takes {@link recovered}. */
  openTasks = 0
  readonly #log: Logger
  readonly #keep: TaskHistoryKeep
  #thread: Worker | undefined
  #recovered: Uint8Array[] | undefined = []
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #committing: Promise<void> | undefined
  readonly #open = new Map<number, (reply: TaskReply) => void>()
  #questions = 0
  #lastId = 0
  #isInTrouble = false
  #closing: Promise<void> | undefined
  /** Why it takes no more, when that is not because it was closed. */
  #ended: string | undefined

  /** @internal {@link openTaskStore} makes it */
  constructor({ name, log, folder = stateFolder(), keep }: TaskStoreOptions) {
    this.path = join(folder, name)
    this.#log = log
    this.#keep = { ...KEEP, ...keep }
  }

  /** @internal */
  begin(): Promise<void> {
    return new Promise((resolve, reject) => {
      const workerData: TaskThreadOptions = { folder: this.path, keep: this.#keep }
      const thread = startThread(new URL('./task-store-worker.ts', import.meta.url), { workerData })
      this.#thread = thread
      thread.on('message', (reply: TaskReply) => {
        if ('refused' in reply) {
          reject(new OperationalError(reply.refused))
          this.#end('it was refused')
        } else if ('recovered' in reply) this.#recovered?.push(reply.recovered)
        else if ('began' in reply) {
          this.openTasks = reply.open
          resolve()
        } else if ('warning' in reply) this.#log.warn(reply.warning)
        else {
          this.#open.get(reply.id)?.(reply)
          this.#open.delete(reply.id)
        }
      })
      thread.on('error', ({ message }) => this.#end(`its thread has ended: ${message}`))
      thread.on('exit', () => {
        this.#end('its thread has ended')
        reject(new OperationalError(`Cannot open ${this.path}: ${this.#ended}.`))
      })
    })
  }

  /**
   * What was there when it was opened, in order: all events of the tasks that have not ended, of those that ended within an
   * hour (the newest 100,000 and 64 MiB of them), and of the newest 100 that have failed. They are here once, and are let go
   * of as they are taken.
   *
   * @throws Error when it is asked a second time
   */
  *recovered(): Generator<TaskEvent, void, void> {
    const recovered = this.#recovered
    this.#recovered = undefined
    if (!recovered) throw new Error('What a task store has recovered was taken already.')
    recovered.reverse()
    for (let bytes = recovered.pop(); bytes; bytes = recovered.pop())
      for (const content of splitEvents(bytes)) yield decodeEvent(content)
  }

  /**
   * Resolves when all of these events are on the disk: a `kill -9` or a power cut takes nothing of them from then on. What
   * is written meanwhile is committed together, next. A commit that fails is taken back, and refuses all that was in it.
   *
   * @throws OperationalError when the disk does not take them, more than 64 MiB wait for it, an event is too large, or the
   *   store is closed
   */
  async write(events: readonly TaskEvent[]): Promise<void> {
    if (events.length === 0) return
    this.#mustBeOpen()
    const bytes = encodeEvents(events)
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes.length > MOST_WAITING_BYTES) {
      throw new OperationalError(
        `More than ${MOST_WAITING_BYTES / 2 ** 20} MiB wait for the disk of ${this.path}: it does not keep up. Try again later.`,
      )
    }
    this.#waitingBytes += bytes.length
    const written = new Promise<void>((resolve, reject) => this.#waiting.push({ bytes, resolve, reject }))
    this.#goOn()
    await written
  }

  /**
   * A page of the tasks that have ended, the newest first. One that was tried again after it had failed is there twice.
   *
   * @throws OperationalError when the question is none, the files cannot be read, or a hundred others wait
   */
  async history(query: TaskHistoryQuery): Promise<TaskHistoryPage> {
    this.#mustBeOpen()
    if (this.#questions >= MOST_QUESTIONS)
      throw new OperationalError(
        `${MOST_QUESTIONS} questions about ${this.path} wait already. Try again later.`,
      )
    this.#questions += 1
    try {
      const reply = await this.#ask({ history: query })
      if ('trouble' in reply) throw new OperationalError(reply.trouble)
      return ('page' in reply && reply.page) || { tasks: [] }
    } finally {
      this.#questions -= 1
    }
  }

  /** Ends it: what was written before is on the disk then, or was refused. Never throws. It can be opened again at once. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    while (this.#waiting.length > 0 || this.#committing) {
      this.#goOn()
      await this.#committing
    }
    // Nothing has to be tidied up: the next start can make what is missing of what is on the disk.
    await this.#thread?.terminate()
    this.#end('it is closed')
  }

  #mustBeOpen(): void {
    if (this.#ended !== undefined) throw new OperationalError(`${this.path} cannot be used: ${this.#ended}.`)
    if (this.#closing) throw new OperationalError(`${this.path} is closed.`)
  }

  /** Commits what waits, unless a commit is under way: then that is followed by the next. */
  #goOn(): void {
    if (this.#committing || this.#waiting.length === 0) return
    this.#committing = this.#commit().finally(() => {
      this.#committing = undefined
      this.#goOn()
    })
  }

  async #commit(): Promise<void> {
    // What else arrives in this turn of the event loop comes along.
    await new Promise((resolve) => setImmediate(resolve))
    const together: Waiting[] = []
    let room = COMMIT_BYTES
    for (const one of this.#waiting) {
      room -= one.bytes.length
      if (together.length > 0 && room < 0) break
      together.push(one)
    }
    this.#waiting.splice(0, together.length)
    const commit = joined(together.map((one) => one.bytes))
    this.#waitingBytes -= commit.length
    const reply = await this.#ask({ commit }, [commit.buffer])
    if ('trouble' in reply) {
      if (!this.#isInTrouble) this.#log.warn(`${reply.trouble} Nothing is taken until that is mended.`)
      this.#isInTrouble = true
      for (const { reject } of together) reject(new OperationalError(reply.trouble))
      return
    }
    if (this.#isInTrouble) this.#log.info(`${this.path} can be written again.`)
    this.#isInTrouble = false
    for (const { resolve } of together) resolve()
  }

  #ask(
    asked: { commit: Uint8Array<ArrayBuffer> } | { history: TaskHistoryQuery },
    transfer: ArrayBuffer[] = [],
  ): Promise<TaskReply> {
    this.#lastId += 1
    const id = this.#lastId
    if (this.#ended !== undefined)
      return Promise.resolve({ id, trouble: `${this.path} cannot be used: ${this.#ended}.` })
    return new Promise((resolve) => {
      this.#open.set(id, resolve)
      const request: TaskRequest = { id, ...asked }
      this.#thread?.postMessage(request, transfer)
    })
  }

  #end(why: string): void {
    this.#ended ??= why
    void this.#thread?.terminate()
    for (const [id, answer] of this.#open)
      answer({ id, trouble: `${this.path} cannot be used: ${this.#ended}.` })
    this.#open.clear()
  }
}

/**
 * Opens a store of tasks, and makes its folder when there is none. Whoever has opened one closes it, or gives it the stop
 * signal: until then it keeps the program running.
 *
 * @throws OperationalError when another process has it open; when something is damaged in it that was acknowledged, with
 *   the file, the byte and the number of the record; when a file in it is another store's, or one of a later version; or
 *   when it cannot be read or written
 */
export async function openTaskStore(options: TaskStoreOptions): Promise<TaskStore> {
  const store = new TaskStore(options)
  const { stop } = options
  const close = () => void store.close()
  stop.addEventListener('abort', close, { once: true })
  if (stop.aborted) close()
  try {
    await store.begin()
  } catch (error) {
    stop.removeEventListener('abort', close)
    if (!stop.aborted) throw error
  }
  return store
}

function joined(all: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const [first, ...others] = all
  if (first && others.length === 0) return first
  const bytes = Buffer.allocUnsafeSlow(all.reduce((sum, one) => sum + one.length, 0))
  let at = 0
  for (const one of all) {
    bytes.set(one, at)
    at += one.length
  }
  return bytes
}
