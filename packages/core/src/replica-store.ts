/**
 * What a member of a replicated log has on its disk: the entries of the log, a snapshot that stands for those before them, and
 * what it must never forget, in a folder of the program's own. What {@link ReplicaStore.append} has taken is on the disk when it
 * resolves; all that wait for the disk at the same time share one synchronisation. A thread does it, so nobody in the program
 * waits for a disk.
 *
 * @since 0.27.0
 */
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import type { LogEntry } from './entry-log.ts'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import {
  bytesOf,
  decodeRecord,
  encodeRecords,
  headOfSnapshot,
  isEntry,
  type ReplicaRecord,
  snapshotOf,
} from './replica-records.ts'
import type { LogSnapshot, ReplicaDurable } from './replica-state.ts'
import type { ReplicaBegun, ReplicaReply, ReplicaRequest, ReplicaWork } from './replica-store-worker.ts'
import { stateFolder } from './state-folder.ts'
import { splitEvents } from './task-log-event.ts'
import { startThread } from './threads.ts'

/** How many bytes are committed together. */
const COMMIT_BYTES = 4 * 1024 * 1024

/** How many bytes of a snapshot are written before the event loop has its turn again. */
const PIECES_BYTES = 256 * 1024

/** What a member knows that has never run. */
const FRESH: ReplicaDurable = {
  term: 0,
  votedFor: null,
  start: { number: 0, token: '', before: '' },
  seen: {},
}

export interface ReplicaStoreOptions {
  /** What its folder is called: `queue` is `queue` in the {@link stateFolder}. */
  name: string
  /** Where is told that the disk takes nothing, and that it does again; and that what was written last was mended. */
  log: Logger
  /** What ends it, as {@link ReplicaStore.close} does. */
  stop: AbortSignal
  /** The folder that has its folder. Default: where systemd has made one for it (`STATE_DIRECTORY`), or `state` in the program's folder. */
  folder?: string
}

/** What was in a store when it was opened. */
export interface ReplicaRecovered {
  /** What was saved last; of a new one, what a member knows that has never run. */
  durable: ReplicaDurable
  /** How the cluster began, as it was given to {@link ReplicaStore.found}. */
  founding: unknown
  /** The newest snapshot, with its pieces. */
  snapshot: LogSnapshot | undefined
  /** The entries behind it, without a gap. */
  entries: LogEntry[]
}

/** Somebody who waits for the disk. */
interface Waiting {
  resolve: () => void
  reject: (error: OperationalError) => void
}

/** Who waits for records. */
interface WaitingRecords extends Waiting {
  records: readonly ReplicaRecord[]
  bytes: number
}

/** Who waits for a snapshot to be the whole log. */
interface WaitingInstall extends Waiting {
  /** The index of its last entry. */
  last: number
  /** Whether all of it is written, so that it can begin to count. */
  isWritten: boolean
}

/** A replica's store, and its folder. {@link openReplicaStore} makes it. */
export class ReplicaStore {
  /** Its folder. */
  readonly path: string
  readonly #log: Logger
  #thread: Worker | undefined
  #begun: ReplicaBegun = { id: '', isNew: false, writeMs: 0, last: 0 }
  #recovered: Uint8Array[] | undefined = []
  #isFounded = false
  /** What can be committed. */
  #waiting: WaitingRecords[] = []
  /** The snapshot that is to be installed behind that, and what comes behind it. */
  #installing: WaitingInstall | undefined
  #behind: (WaitingRecords | WaitingInstall)[] = []
  /** Whether the last one was refused: what comes next would follow that, and not what is here. */
  #lacksInstall = false
  #working: Promise<void> | undefined
  /** The snapshot that is being written: only one at a time. */
  #snapshotting: Promise<unknown> = Promise.resolve()
  /** The index of the last entry that was taken, and of the last one that is on the disk. */
  #last = 0
  #written = 0
  readonly #asked = new Map<number, (reply: ReplicaReply) => void>()
  #lastId = 0
  #isInTrouble = false
  #closing: Promise<void> | undefined
  /** Why it takes no more, when that is not because it was closed. */
  #ended: string | undefined

  /** @internal {@link openReplicaStore} makes it */
  constructor({ name, log, folder = stateFolder() }: ReplicaStoreOptions) {
    this.path = join(folder, name)
    this.#log = log
  }

  /** The identity of this store: 8 of a to z and 0 to 9, drawn when it was made. */
  get id(): string {
    return this.#begun.id
  }

  /** Whether there was nothing in it when it was opened. */
  get isNew(): boolean {
    return this.#begun.isNew
  }

  /** How long it took to have something small on the disk when it was opened, in ms: what is in the middle of some tries. */
  get writeMs(): number {
    return this.#begun.writeMs
  }

  /** @internal */
  begin(): Promise<void> {
    return new Promise((resolve, reject) => {
      const workerData = { folder: this.path }
      const thread = startThread(new URL('./replica-store-worker.ts', import.meta.url), { workerData })
      this.#thread = thread
      thread.on('message', (reply: ReplicaReply) => {
        if ('refused' in reply) {
          reject(new OperationalError(reply.refused))
          this.#end('it was refused')
        } else if ('recovered' in reply) this.#recovered?.push(reply.recovered)
        else if ('began' in reply) {
          this.#begun = reply.began
          this.#last = reply.began.last
          this.#written = reply.began.last
          resolve()
        } else if ('warning' in reply) this.#log.warn(reply.warning)
        else {
          this.#asked.get(reply.id)?.(reply)
          this.#asked.delete(reply.id)
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
   * What was there when it was opened. It is here once.
   *
   * @throws Error when it is asked a second time
   */
  take(): ReplicaRecovered {
    const recovered = this.#recovered
    this.#recovered = undefined
    if (!recovered) throw new Error('What a replica store has recovered was taken already.')
    const taken: ReplicaRecovered = { durable: FRESH, founding: undefined, snapshot: undefined, entries: [] }
    const pieces: string[] = []
    for (const bytes of recovered)
      for (const content of splitEvents(bytes)) {
        const record = decodeRecord(content)
        if (isEntry(record)) taken.entries.push(record)
        else if (record.kind === 'snapshot') taken.snapshot = snapshotOf(record, pieces)
        else if (record.kind === 'piece') pieces.push(record.data)
        else if (record.kind === 'state') taken.durable = JSON.parse(record.data)
        else if (record.kind === 'founding') taken.founding = JSON.parse(record.data)
      }
    this.#isFounded = taken.founding !== undefined
    return taken
  }

  /**
   * Resolves when these entries are on the disk: a `kill -9` or a power cut takes nothing of them from then on. The first one
   * replaces all that there are from its index on. They get there in the order in which they are appended.
   *
   * @throws OperationalError when the disk does not take them, or has not taken those before them: then none of them is there;
   *   when one is too large, or the store is closed. RangeError when they do not follow each other
   */
  async append(entries: readonly LogEntry[]): Promise<void> {
    const [first] = entries
    if (!first) return
    this.#mustBeOpen()
    if (entries.some(({ index }, place) => index !== first.index + place))
      throw new RangeError(`Entries from ${first.index} on do not follow each other.`)
    this.#mustHaveInstalled()
    if (first.index > this.#last + 1)
      throw new OperationalError(
        `Entry ${first.index} does not follow entry ${this.#last}, which is the last in ${this.path}: those between were refused.`,
      )
    const written = this.#write(entries)
    this.#last = first.index + entries.length - 1
    await written
  }

  /**
   * Resolves when this is on the disk, with all that was appended before; or without, when that waits for a snapshot that is
   * to be installed: a vote is not kept waiting by that.
   *
   * @throws OperationalError when the disk does not take it, or the store is closed
   */
  async save(durable: ReplicaDurable): Promise<void> {
    this.#mustBeOpen()
    const { term, votedFor, start, seen } = durable
    await this.#write([{ kind: 'state', data: JSON.stringify({ term, votedFor, start, seen }) }])
  }

  /**
   * Resolves when it is on the disk how the cluster began.
   *
   * @param founding what JSON can have
   * @throws OperationalError when the disk does not take it, or the store is closed; Error when the store knows already
   */
  async found(founding: unknown): Promise<void> {
    this.#mustBeOpen()
    if (this.#isFounded) throw new Error(`${this.path} knows already how its cluster began.`)
    this.#isFounded = true
    try {
      await this.#write([{ kind: 'founding', data: JSON.stringify(founding) }])
    } catch (error) {
      this.#isFounded = false
      throw error
    }
  }

  /**
   * Resolves when a snapshot of what was applied here is on the disk. Entries up to its last one are let go of then, later ones
   * stay. Appends go on meanwhile.
   *
   * @param pieces of any size up to 16 MiB; taken some at a time, as they are written
   * @throws OperationalError when the disk does not take it, or the store is closed: then the one before it counts
   */
  async snapshot(snapshot: LogSnapshot, pieces: Iterable<string>): Promise<void> {
    this.#mustBeOpen()
    await this.#afterOthers(async () => {
      this.#mustHaveInstalled()
      await this.#writeSnapshot(snapshot, pieces)
      await this.#must({ end: 'snapshot' })
    })
    this.#last = Math.max(this.#last, snapshot.last.index)
    this.#written = Math.max(this.#written, snapshot.last.index)
  }

  /**
   * Resolves when a snapshot that another member has sent is on the disk, and nothing else of the log counts any more, also no
   * later entries. What is appended from now on follows its last one, and waits for it.
   *
   * @param pieces of any size up to 16 MiB; taken some at a time, as they are written
   * @throws OperationalError when the disk does not take it, or the store is closed: then the log is there as it was. But who
   *   has asked for this goes on with that snapshot, and not with the log that is here: so entries and snapshots are refused
   *   until one is installed, or the store is opened again.
   */
  async install(snapshot: LogSnapshot, pieces: Iterable<string>): Promise<void> {
    this.#mustBeOpen()
    const { index } = snapshot.last
    const installed = new Promise<void>((resolve, reject) => {
      const install: WaitingInstall = { last: index, isWritten: false, resolve, reject }
      this.#put(install)
      this.#afterOthers(async () => {
        await this.#writeSnapshot(snapshot, pieces)
        install.isWritten = true
        this.#goOn()
        // Another one would be begun in its place.
        await installed
      }).catch((error) => this.#isRefused(install, error))
    })
    this.#last = index
    await installed
  }

  /**
   * Ends it: what was appended and saved before is on the disk then, or was refused; a snapshot that is not on the disk yet is
   * given up. Never throws. It can be opened again at once.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (this.#goOn(); this.#working; this.#goOn()) await this.#working
    await this.#thread?.terminate()
    this.#end('it is closed')
  }

  #mustBeOpen(): void {
    if (this.#ended !== undefined) throw new OperationalError(`${this.path} cannot be used: ${this.#ended}.`)
    if (this.#closing) throw new OperationalError(`${this.path} is closed.`)
  }

  #mustHaveInstalled(): void {
    if (this.#lacksInstall && !this.#installing)
      throw new OperationalError(
        `${this.path} lacks the snapshot that was to take the place of its log: entries would not follow what is there. It takes them when a snapshot is installed.`,
      )
  }

  #write(records: readonly ReplicaRecord[]): Promise<void> {
    const bytes = records.reduce((sum, record) => sum + bytesOf(record), 0)
    return new Promise((resolve, reject) => this.#put({ records, bytes, resolve, reject }))
  }

  #put(one: WaitingRecords | WaitingInstall): void {
    if (this.#installing && !isState(one)) this.#behind.push(one)
    else if ('records' in one) this.#waiting.push(one)
    else this.#installing = one
    this.#goOn()
  }

  /** Does what can be done next, unless something is under way: then that is followed by the next. */
  #goOn(): void {
    const install = this.#installing
    if (this.#working || !(this.#waiting.length > 0 || install?.isWritten)) return
    this.#working = (this.#waiting.length > 0 || !install ? this.#commit() : this.#install(install)).finally(
      () => {
        this.#working = undefined
        this.#goOn()
      },
    )
  }

  async #commit(): Promise<void> {
    // What else arrives in this turn of the event loop comes along.
    await new Promise((resolve) => setImmediate(resolve))
    let [count, bytes] = [0, 0]
    for (const one of this.#waiting) {
      if (count > 0 && bytes + one.bytes > COMMIT_BYTES) break
      count += 1
      bytes += one.bytes
    }
    const together = this.#waiting.splice(0, count)
    const records = together.flatMap((one) => one.records)
    const commit = encodeRecords(records, bytes)
    const reply = await this.#ask({ commit }, [commit.buffer])
    if ('trouble' in reply) {
      if (!this.#isInTrouble) this.#log.warn(`${reply.trouble} Nothing is taken until that is mended.`)
      this.#isInTrouble = true
      // Entries that come next would leave a gap.
      const entries = this.#waiting.filter((one) => !isState(one))
      this.#waiting = this.#waiting.filter(isState)
      if (!this.#installing) this.#last = this.#written
      for (const { reject } of [...together, ...entries]) reject(new OperationalError(reply.trouble))
      return
    }
    if (this.#isInTrouble) this.#log.info(`${this.path} can be written again.`)
    this.#isInTrouble = false
    this.#written = records.findLast(isEntry)?.index ?? this.#written
    for (const { resolve } of together) resolve()
  }

  async #install(install: WaitingInstall): Promise<void> {
    const reply = await this.#ask({ end: 'install' })
    if ('trouble' in reply) return this.#isRefused(install, new OperationalError(reply.trouble))
    this.#written = install.last
    this.#installing = undefined
    this.#lacksInstall = false
    for (const one of this.#behind.splice(0)) this.#put(one)
    install.resolve()
  }

  /** A snapshot was not installed: what waits behind it would follow nothing. */
  #isRefused(install: WaitingInstall, error: OperationalError): void {
    if (this.#installing !== install) return
    this.#installing = undefined
    this.#lacksInstall = true
    const next = this.#behind.findIndex((one) => !('records' in one))
    const refused = this.#behind.splice(0, next < 0 ? this.#behind.length : next)
    for (const one of this.#behind.splice(0)) this.#put(one)
    for (const { reject } of [install, ...refused]) reject(error)
  }

  /** Does something with a snapshot when those before are done. */
  #afterOthers(work: () => Promise<void>): Promise<void> {
    const done = this.#snapshotting.then(work)
    this.#snapshotting = done.catch(() => {})
    return done
  }

  async #writeSnapshot(snapshot: LogSnapshot, pieces: Iterable<string>): Promise<void> {
    const head = headOfSnapshot(snapshot)
    const begin = encodeRecords([head], bytesOf(head))
    await this.#must({ begin }, [begin.buffer])
    let records: ReplicaRecord[] = []
    let bytes = 0
    const write = async () => {
      const encoded = encodeRecords(records, bytes)
      records = []
      bytes = 0
      await this.#must({ pieces: encoded }, [encoded.buffer])
    }
    for (const data of pieces) {
      const piece: ReplicaRecord = { kind: 'piece', data }
      records.push(piece)
      bytes += bytesOf(piece)
      if (bytes >= PIECES_BYTES) await write()
    }
    await write()
  }

  async #must(work: ReplicaWork, transfer?: ArrayBuffer[]): Promise<void> {
    const reply = await this.#ask(work, transfer)
    if ('trouble' in reply) throw new OperationalError(reply.trouble)
  }

  #ask(work: ReplicaWork, transfer: ArrayBuffer[] = []): Promise<ReplicaReply> {
    this.#lastId += 1
    const id = this.#lastId
    if (this.#ended !== undefined)
      return Promise.resolve({ id, trouble: `${this.path} cannot be used: ${this.#ended}.` })
    return new Promise((resolve) => {
      this.#asked.set(id, resolve)
      const request: ReplicaRequest = { id, ...work }
      this.#thread?.postMessage(request, transfer)
    })
  }

  #end(why: string): void {
    this.#ended ??= why
    void this.#thread?.terminate()
    const trouble = `${this.path} cannot be used: ${this.#ended}.`
    for (const [id, answer] of this.#asked) answer({ id, trouble })
    this.#asked.clear()
    const error = new OperationalError(trouble)
    const waiting = [
      ...this.#waiting.splice(0),
      ...(this.#installing ? [this.#installing] : []),
      ...this.#behind.splice(0),
    ]
    this.#installing = undefined
    for (const { reject } of waiting) reject(error)
  }
}

/**
 * Opens a member's store, and makes its folder when there is none. Whoever has opened one closes it, or gives it the stop
 * signal: until then it keeps the program running.
 *
 * @throws OperationalError when another process has it open; when something is damaged in it that was acknowledged, with
 *   the file, the byte and the number of the record; when a file in it is another store's, or one of a later version; or
 *   when it cannot be read or written
 */
export async function openReplicaStore(options: ReplicaStoreOptions): Promise<ReplicaStore> {
  const store = new ReplicaStore(options)
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

/** Entries wait for what is before them; what must never be forgotten does not. */
function isState(one: WaitingRecords | WaitingInstall): one is WaitingRecords {
  return 'records' in one && one.records[0]?.kind === 'state'
}
