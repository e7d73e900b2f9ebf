/**
 * What many nodes have measured, kept for years in one small file: a store of numbers by node, vital and time. It is an
 * SQLite database of the program's own, so there is nothing to install and no server to run. Writing and asking are done
 * by a thread, so nobody in the program waits for a disk.
 *
 * @since 0.17.0
 */
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import type { Worker } from 'node:worker_threads'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { stateFolder } from './state-folder.ts'
import {
  type About,
  type Batch,
  type Committed,
  countOf,
  emptyBatch,
  type HistoryQuery,
  isEmpty,
  joined,
  type Kind,
  type Reply,
  type Request,
  type Requests,
  type Sample,
  type ThreadOptions,
  takeFrom,
  type Vital,
  type Waiting,
  weightOf,
} from './store-batch.ts'
import type { Keep } from './store-levels.ts'
import { startThread } from './threads.ts'

export type { About, HistoryQuery, Keep, Sample, Vital, Waiting }

/** The longest time from a sample to its commit, in ms. */
const COMMIT_MS = 10_000

/** How many values and texts may wait for a slow or full disk. */
const WAITING_LIMIT = 200_000

/** How many samples, and how many texts, are committed together: what else the file is for waits no longer than that. */
const MOST_AT_ONCE = 2_000

/** How many texts an outbox keeps. */
const OUTBOX_LIMIT = 100_000

/** How many pairs of a node and a vital there may be. */
const MOST_SERIES = 50_000

/** How many values a sample may have, and how long a name may be. */
const MOST_VALUES = 64
const LONGEST_NAME = 200

/**
 * For V8: to make WebAssembly into machine code once, and not again, faster code, of what is used most. That takes half a
 * second here and seconds on a Pi, in which a program cannot end, and 30 MB; and a question is answered in time without.
 */
const COMPILED_ONCE = ['--liftoff-only', '--no-wasm-tier-up', '--no-wasm-dynamic-tiering']

const KEEP: Keep = {
  rawDays: 1,
  fiveMinutesDays: 30,
  hoursDays: 730,
  daysDays: Number.POSITIVE_INFINITY,
}

export interface StoreOptions {
  /** What the file is called: `vitals` is `vitals.db`. */
  name: string
  /** Where is told that the disk is full, and what is done about it. */
  log: Logger
  /** What ends it, as {@link Store.close} does. */
  stop?: AbortSignal
  /**
   * The folder of the file. Default: where systemd has made one for it (`STATE_DIRECTORY`), or `state` in the
   * program's folder.
   */
  folder?: string
  /** How long each level of the past is kept. */
  keep?: Partial<Keep>
  /** The longest time from a sample to its commit, in ms. Default: 10 s. */
  commitMs?: number
  /** How often a node measures, in s: what is longer is a gap. Default: 60. */
  sampleSeconds?: number
  /** How many values and texts may wait while the disk takes none. The oldest are dropped. Default: 200,000. */
  waitingLimit?: number
  /** How many texts wait in an outbox. The oldest are dropped. Default: 100,000. */
  outboxLimit?: number
  /** How many pairs of a node and a vital there may be. Default: 50,000. */
  mostSeries?: number
}

/** What a vital was. */
export interface History {
  vital: string
  /** What it is called, and what it is measured in, where somebody has said so. */
  label?: string
  unit?: string
  /** As it was asked. */
  from: number
  to: number
  /** From one point to the next, in s. */
  step: number
  /** Where each point begins, in s since 1970: at most 500, also where nobody has a value. */
  times: number[]
  /** At most 100, in the order of the names. A node without any value has none. */
  lines: HistoryLine[]
  /** How many lines were left out. */
  more?: number
}

/** What it was at one node: null where nothing was measured. */
export interface HistoryLine {
  node: string
  name: string
  mean: (number | null)[]
  /** When one node was asked for. */
  min?: (number | null)[]
  max?: (number | null)[]
}

/** Texts that wait on the disk for somebody, in order. */
export interface Outbox {
  /** How many there are, with those that are not on the disk yet. */
  readonly size: number
  /** Adds one. It is on the disk with the samples that were added before it, in the same commit. */
  add(text: string): void
  /** The oldest of those that are on the disk. */
  oldest(count: number): Promise<Waiting[]>
  /**
   * Takes away all up to this one, and resolves when that is on the disk.
   *
   * @throws OperationalError when the disk does not take it: then they come again
   */
  drop(upTo: number): Promise<void>
}

/** A store, and its file. {@link openStore} makes it. */
export class Store {
  readonly #log: Logger
  readonly #options: ThreadOptions
  readonly #commitMs: number
  readonly #waitingLimit: number
  readonly #sizes = new Map<string, number>()
  readonly #open = new Map<number, { resolve: (answer: never) => void; fail: (why: string) => void }>()
  #worker: Worker | undefined
  /** The same, when it has the file. */
  #thread: Promise<Worker> | undefined
  #newest: number | undefined
  #lastId = 0
  #batch = emptyBatch()
  #weight = 0
  /** How much was added, and how much of that waits no more: it is on the disk, or was dropped. */
  #added = 0
  #settled = 0
  #lost = 0
  #timer: NodeJS.Timeout | undefined
  #committing: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #isInTrouble = false
  readonly #told = new Set<string>()
  /** What vitals are called, as far as it was said since the start: some of it is not on the disk yet. */
  readonly #about = new Map<string, About>()

  /** @internal {@link openStore} makes it */
  constructor(
    options: ThreadOptions,
    { log, commitMs = COMMIT_MS, waitingLimit = WAITING_LIMIT }: StoreOptions,
  ) {
    this.#log = log
    this.#options = options
    this.#commitMs = commitMs
    this.#waitingLimit = waitingLimit
  }

  /** The file. Beside it, `-wal` at the end, is what belongs to it and is not in it yet. */
  get path(): string {
    return this.#options.path
  }

  /** The time of the newest sample that was there when it was opened, in s since 1970; undefined when there was none. */
  get newest(): number | undefined {
    return this.#newest
  }

  /** @internal */
  async begin(): Promise<void> {
    if (this.#closing) return
    this.#thread = this.#startThread()
    await this.#thread
  }

  /**
   * Adds what a node has measured. It is on the disk within `commitMs`. This never waits, and never throws: what is no
   * finite number is left out. A sample may be late, by as long as samples are kept.
   */
  add({ node, name, at, values }: Sample): void {
    if (this.#closing || !isName(node) || !Number.isFinite(at) || at < 0) return
    const finite = Object.entries(values).filter(([vital, value]) => isValue(value) && isName(vital))
    if (finite.length === 0) return
    const kept = finite.slice(0, MOST_VALUES)
    this.#batch.samples.push({ node, name: isName(name) ? name : node, at, values: Object.fromEntries(kept) })
    this.#grow(kept.length)
  }

  /** Says what a vital is called, and what it is measured in. */
  describe(vital: string, { label, unit }: About): void {
    if (this.#closing || !isName(vital)) return
    const about: [string, About] = [
      vital,
      { label: label.slice(0, LONGEST_NAME), unit: unit.slice(0, LONGEST_NAME) },
    ]
    if (this.#about.has(vital) || this.#about.size < MOST_AT_ONCE) this.#about.set(vital, about[1])
    const { about: others } = this.#batch
    const same = others.findIndex(([other]) => other === vital)
    if (same >= 0) others[same] = about
    if (same >= 0 || others.length >= MOST_AT_ONCE) return
    others.push(about)
    this.#grow(0)
  }

  /**
   * What a vital was, as far as it is on the disk. What it is called is known at once.
   *
   * @throws OperationalError when the file cannot be read, or the times are none
   */
  async history(query: HistoryQuery): Promise<History> {
    const { vital, from, to } = query
    if (!(Number.isFinite(from) && Number.isFinite(to) && from >= 0 && from < to && to < 2 ** 40))
      throw new OperationalError(
        `A history is asked from one time to a later one, and not from ${from} to ${to}.`,
      )
    const { about, step, first, count, nodes, numbers, more } = await this.#ask('history', query)
    const kinds = query.node === undefined ? 1 : 3
    const line = (index: number) =>
      Array.from(numbers.subarray(index * count, (index + 1) * count), (value) =>
        Number.isNaN(value) ? null : value,
      )
    return {
      vital,
      ...about,
      ...this.#about.get(vital),
      from,
      to,
      step,
      times: Array.from({ length: count }, (_, index) => first + index * step),
      lines: nodes.map((node, index) => ({
        ...node,
        mean: line(index * kinds),
        ...(kinds > 1 && { min: line(index * kinds + 1), max: line(index * kinds + 2) }),
      })),
      ...(more > 0 && { more }),
    }
  }

  /** Which vitals there are, by their names. */
  vitals(): Promise<Vital[]> {
    return this.#ask('vitals', undefined)
  }

  /** The outbox of that name. All that ask for it get the same texts. */
  outbox(name: string): Outbox {
    const store = this
    return {
      get size() {
        const unwritten = store.#batch.texts.filter(([box]) => box === name).length
        return (store.#sizes.get(name) ?? 0) + unwritten
      },
      add: (text) => {
        if (store.#closing) return
        store.#batch.texts.push([name, text.replaceAll('\0', '')])
        store.#grow(1)
      },
      oldest: (count) => store.#ask('oldest', { box: name, count }),
      drop: async (upTo) => {
        store.#batch.drops.push([name, upTo])
        store.#grow(0)
        await store.flush()
      },
    }
  }

  /**
   * Commits at once, and resolves when all that was added is on the disk.
   *
   * @throws OperationalError when the disk does not take it: it waits on, and is tried again
   */
  async flush(): Promise<void> {
    // Not until nothing waits: in a busy program something always does.
    const upTo = this.#added
    while (this.#settled < upTo) {
      if (this.#committing) await this.#committing.catch(() => {})
      else if (isEmpty(this.#batch)) return
      else await this.#commit()
    }
  }

  /**
   * Ends it: what was added before is on the disk then, unless the disk does not take it, which is told. Never throws. The
   * file can be opened again at once.
   */
  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  #grow(by: number): void {
    this.#added += 1
    this.#weight += by
    if (this.#weight > this.#waitingLimit) this.#dropOldest()
    this.#wait()
  }

  #wait(): void {
    if (isEmpty(this.#batch)) return
    this.#timer ??= setTimeout(() => void this.flush().catch(() => {}), this.#commitMs)
  }

  /** Makes room for a tenth of the limit, so that this is not done for each sample. */
  #dropOldest(): void {
    const { samples, texts } = this.#batch
    const share = 1 - (0.9 * this.#waitingLimit) / this.#weight
    const dropped = {
      ...emptyBatch(),
      samples: samples.splice(0, Math.ceil(samples.length * share)),
      texts: texts.splice(0, Math.ceil(texts.length * share)),
    }
    this.#weight -= weightOf(dropped)
    this.#lost += weightOf(dropped)
    this.#settled += countOf(dropped)
    this.#tellOnce(
      'waiting',
      `More than ${this.#waitingLimit} values wait for the disk of ${this.path}: the oldest are dropped.`,
    )
  }

  #commit(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const batch = takeFrom(this.#batch, MOST_AT_ONCE)
    const weight = weightOf(batch)
    this.#weight -= weight
    for (const [box] of batch.texts) this.#sizes.set(box, (this.#sizes.get(box) ?? 0) + 1)
    this.#committing = this.#ask('commit', batch)
      .then((done) => {
        this.#settled += countOf(batch)
        this.#committed(done)
      })
      .catch((error: OperationalError) => {
        this.#takeBack(batch, weight, error)
        throw error
      })
      .finally(() => {
        this.#committing = undefined
        this.#wait()
      })
    return this.#committing
  }

  #committed({ misdated, tooMany, waiting, overflow }: Committed): void {
    for (const [box, count] of waiting) this.#sizes.set(box, count)
    if (this.#isInTrouble) {
      const lost = this.#lost === 0 ? '' : ` ${this.#lost} values were dropped meanwhile.`
      this.#log.info(`${this.path} can be written again.${lost}`)
      this.#isInTrouble = false
      this.#lost = 0
    }
    if (this.#weight < this.#waitingLimit / 2) this.#told.delete('waiting')
    if (misdated > 0)
      this.#tellOnce(
        'misdated',
        `${this.path} takes no samples that are older than ${this.#options.keep.rawDays} days, or of a time to come: ${misdated} ${misdated === 1 ? 'was' : 'were'} left out. Does the clock go right?`,
      )
    if (tooMany > 0)
      this.#tellOnce(
        'tooMany',
        `${this.path} has ${this.#options.mostSeries} pairs of a node and a vital, and takes no more: others are left out.`,
      )
    for (const [box, count] of overflow)
      this.#tellOnce(
        `overflow of ${box}`,
        `More than ${this.#options.outboxLimit} texts wait for ${box}: the oldest ${count === 1 ? 'one was' : `${count} were`} dropped, and so are the next.`,
      )
    for (const [box, count] of waiting)
      if (count < this.#options.outboxLimit / 2) this.#told.delete(`overflow of ${box}`)
  }

  /** What could not be written waits on, before what has come since. */
  #takeBack(batch: Batch, weight: number, error: OperationalError): void {
    for (const [box] of batch.texts) this.#sizes.set(box, (this.#sizes.get(box) ?? 1) - 1)
    this.#batch = joined(batch, this.#batch)
    this.#weight += weight
    if (this.#weight > this.#waitingLimit) this.#dropOldest()
    if (this.#isInTrouble) return
    this.#isInTrouble = true
    this.#log.warn(
      `Cannot write ${this.path} (${error.message}): what comes waits in memory, up to ${this.#waitingLimit} values, and is written when that is mended.`,
    )
  }

  #tellOnce(what: string, line: string): void {
    if (this.#told.has(what)) return
    this.#told.add(what)
    this.#log.warn(line)
  }

  async #end(): Promise<void> {
    clearTimeout(this.#timer)
    try {
      await this.flush()
    } catch (error) {
      const values = this.#weight
      this.#log.warn(
        `${values} values could not be written to ${this.path} any more (${(error as Error).message}).`,
      )
    }
    clearTimeout(this.#timer)
    // All that was committed is safe in what lies beside the file: to put it in takes time that a stopped program has not.
    this.#thread = undefined
    await this.#worker?.terminate()
    this.#rejectAll('it is closed')
  }

  async #ask<K extends Kind>(kind: K, asked: Requests[K]['asked']): Promise<Requests[K]['answer']> {
    if (this.#closing && kind !== 'commit') throw new OperationalError(`${this.path} is closed.`)
    this.#thread ??= this.#startThread()
    const thread = await this.#thread
    this.#lastId += 1
    const request: Request<K> = { id: this.#lastId, kind, asked }
    return new Promise((resolve, reject) => {
      const fail = (why: string) =>
        reject(new OperationalError(kind === 'commit' ? why : `Cannot read ${this.path}: ${why}.`))
      this.#open.set(request.id, { resolve, fail })
      thread.postMessage(request)
    })
  }

  /** Resolves when the thread has the file, or has said why it has it not yet. */
  #startThread(): Promise<Worker> {
    for (const flag of COMPILED_ONCE) setFlagsFromString(flag)
    const thread = startThread(new URL('./store-worker.ts', import.meta.url), { workerData: this.#options })
    this.#worker = thread
    const begun = new Promise<Worker>((resolve, reject) => {
      thread.on('message', (reply: Reply) => {
        if ('refused' in reply) {
          void thread.terminate()
          reject(new OperationalError(reply.refused))
        } else if ('began' in reply) {
          for (const [box, count] of reply.began) this.#sizes.set(box, count)
          this.#newest ??= reply.newest
          resolve(thread)
        } else if ('warning' in reply) {
          this.#log.warn(reply.warning)
        } else {
          const waiting = this.#open.get(reply.id)
          this.#open.delete(reply.id)
          if ('trouble' in reply) waiting?.fail(reply.trouble)
          else waiting?.resolve(reply.answer as never)
        }
      })
      thread.on('error', ({ message }) => reject(new OperationalError(`its thread cannot run: ${message}`)))
      thread.on('exit', () => {
        reject(new OperationalError('its thread has ended'))
        // Another one is started by who needs it next.
        if (this.#thread !== begun) return
        this.#thread = undefined
        this.#rejectAll('its thread has ended')
      })
    })
    return begun
  }

  #rejectAll(why: string): void {
    for (const { fail } of this.#open.values()) fail(why)
    this.#open.clear()
  }
}

/**
 * Opens a store, and makes its file when there is none. A file that is damaged is set aside with a warning. Where the disk
 * takes nothing, that is a warning as well: what is added waits in memory, and it is tried again. Whoever has opened one
 * closes it, or gives it the stop signal: until then it keeps the program running. Stopped meanwhile, it gives a closed one.
 *
 * @throws OperationalError when another process has it open, or the file is no store, or one of a later version
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { name, stop, folder = stateFolder() } = options
  const keep = { ...KEEP, ...options.keep }
  const store = new Store(
    {
      path: join(folder, `${name}.db`),
      keep,
      sampleSeconds: Math.max(1, Math.ceil(options.sampleSeconds ?? 60)),
      mostSeries: options.mostSeries ?? MOST_SERIES,
      outboxLimit: options.outboxLimit ?? OUTBOX_LIMIT,
    },
    options,
  )
  const close = () => void store.close()
  stop?.addEventListener('abort', close, { once: true })
  if (stop?.aborted) close()
  try {
    await store.begin()
  } catch (error) {
    stop?.removeEventListener('abort', close)
    if (!stop?.aborted) throw error
  }
  return store
}

/** A number that a level can keep. */
function isValue(value: unknown): boolean {
  return Number.isFinite(value) && Number.isFinite(Math.fround(value as number))
}

function isName(text: string): boolean {
  return typeof text === 'string' && text.length > 0 && text.length <= LONGEST_NAME && !text.includes('\0')
}
