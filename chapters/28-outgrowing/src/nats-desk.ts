/**
 * The desk of a leader whose tasks are in NATS: to those who hand in work it speaks as that of 24 and 25 does, and what they
 * want it does there. It keeps nothing that the next leader would miss.
 */
import { randomBytes } from 'node:crypto'
import { JetStreamApiError } from '@nats-io/jetstream'
import type { Answers } from '@rpi-cluster/core/dialogue'
import { asciiJson } from '@rpi-cluster/core/frames'
import { every, OperationalError } from '@rpi-cluster/core/lifecycle'
import type { Logger } from '@rpi-cluster/core/logging'
import { textOf } from '@rpi-cluster/core/messages'
import type { Connection } from '@rpi-cluster/core/sockets'
import type { EndedTask } from '@rpi-cluster/core/task-log-table'
import { submittedTask, taskId, taskLabel } from '@rpi-cluster/core/task-states'
import { hasEnded, MOST_TASK_BYTES, type TaskEnd } from '@rpi-cluster/core/tasks'
import type { TaskDefinitions } from '@rpi-cluster/core/worker'
import * as v from 'valibot'
import { queryFrom } from './history.ts'
import {
  type Demand,
  isConflict,
  type KeptTask,
  keyOf,
  type Nats,
  natsProblem,
  SAID,
  subjectOf,
} from './nats.ts'
import { NatsFollowers, stateOf } from './nats-followers.ts'
import { NatsLedger } from './nats-ledger.ts'
import type { Desk } from './work-queue.ts'

/** How many tasks may be handed in with one message, and how large an answer about tasks becomes, in bytes. */
const MOST_AT_ONCE = 10_000
const ANSWER_BYTES = 512 * 1024

/** How often tables are brought up to date, and what is kept too long is looked for, in ms. */
const SHOW_MS = 250
const SWEEP_MS = 10_000

/** How long is known what has become of a task, in ms, and of how many: as in the own queue. */
const KEPT_MS = 3_600_000
const MOST_KEPT = 100_000

/** How many tasks are changed at once. */
const AT_ONCE = 500

/** How long who asks waits for NATS, in ms. Then it is cut off, and asks again. */
const PATIENCE_MS = 5_000

const ids = v.pipe(v.array(v.string()), v.maxLength(MOST_AT_ONCE))
const follow = v.optional(v.boolean(), false)
const submission = v.object({ tasks: v.pipe(v.array(submittedTask), v.maxLength(MOST_AT_ONCE)), follow })
const someOrGroup = v.union([
  v.object({ ids, follow }),
  v.object({ group: taskLabel, after: v.optional(taskId) }),
])
const someOrAll = v.union([v.object({ ids }), v.object({ all: v.literal(true) })])

/** Why something is not done for a submitter. */
class NotDone extends Error {}

export interface NatsDeskOptions {
  connected: Promise<Nats>
  tasks: TaskDefinitions
  submitters: () => readonly string[]
  isHeld: () => boolean
  mostWaiting: number
  ended: (end: TaskEnd) => void
  log: Logger
  stop: AbortSignal
}

export class NatsDesk implements Desk {
  readonly handlers = {}
  readonly answers: Answers
  readonly tables
  /** Who asks before NATS has said what there is waits for that. */
  readonly recovered = Promise.resolve()

  readonly #options: NatsDeskOptions
  readonly #ledger: NatsLedger
  readonly #followers = new NatsFollowers()
  readonly #loaded: Promise<Nats>
  /** How many are being handed in, and are not among those that wait yet. */
  #reserved = 0

  constructor(options: NatsDeskOptions) {
    const { mostWaiting, connected, stop } = options
    this.#options = options
    this.#ledger = new NatsLedger(mostWaiting)
    this.tables = this.#ledger.tables
    this.#loaded = connected.then((nats) => this.#open(nats))
    this.#loaded.catch(() => {}) // who asks is told
    this.answers = {
      submit: this.#answer('submitted', (...asked) => this.#submit(...asked)),
      task_states: this.#answer('task_states', (...asked) => this.#states(...asked)),
      cancel_tasks: this.#answer('cancelled', (nats, about) => this.#cancel(nats, about)),
      failed_tasks: this.#answer('failed_tasks', async () => listed(this.#ledger.failed)),
      retry_tasks: this.#answer('retried', (nats, about) => this.#retry(nats, about)),
      task_history: this.#answer('task_history', async (_, about) => this.#history(about)),
    }
    void this.#show(stop)
  }

  /** Reads what there is, and follows what changes. Resolves when all is read. */
  async #open(nats: Nats): Promise<Nats> {
    const { stop } = this.#options
    const subscriptions = [
      nats.connection.subscribe(SAID.progress, {
        callback: (_, said) => this.#ledger.progressed(...said.json<[string, number]>()),
      }),
      nats.connection.subscribe(SAID.worker, { callback: (_, said) => this.#ledger.hear(said.json()) }),
    ]
    stop.addEventListener('abort', () => {
      for (const each of subscriptions) each.unsubscribe()
    })
    await new Promise<void>((resolve, reject) => {
      this.#follow(nats, resolve).catch((error) => (stop.aborted ? reject(stop.reason) : reject(error)))
    })
    void this.#publishAgain(nats).catch((error) => this.#options.log.debug(natsProblem(error)))
    void this.#sweep(nats)
    return nats
  }

  /** Follows the table: anew whenever NATS was away. */
  async #follow(nats: Nats, loaded: () => void) {
    const { stop } = this.#options
    while (!stop.aborted) {
      const watch = await nats.states.watch().catch(() => undefined)
      const end = () => watch?.stop()
      stop.addEventListener('abort', end)
      const away = nats.onReconnect(end)
      let left = watch
        ? await nats.states.status().then(
            ({ values }) => values,
            () => 0,
          )
        : 0
      if (watch && left === 0) loaded()
      for await (const entry of watch ?? []) {
        const id = entry.operation === 'PUT' ? this.#take(entry.json(), entry.revision) : undefined
        if (id === undefined) continue
        left -= 1
        if (entry.delta === 0 || left <= 0) loaded()
      }
      away()
      stop.removeEventListener('abort', end)
      if (!stop.aborted) await new Promise((resolve) => setTimeout(resolve, SHOW_MS))
    }
  }

  #take(task: KeptTask, revision: number): string {
    if (this.#ledger.take(task, revision) && this.#options.isHeld()) {
      this.#followers.tell(task)
      this.#options.ended(stateOf(task) as TaskEnd)
      if (task.state === 'failed')
        this.#options.log.warn(
          `${task.name} ${task.id} has failed for good on ${task.node}: ${task.kind}: ${task.reason}`,
        )
    }
    return task.id
  }

  /** What the last leader may have written into the table alone. NATS knows what it was given, and takes it once. */
  async #publishAgain(nats: Nats) {
    for (const task of this.#ledger.all())
      if (task.state === 'waiting' && task.attempts === 0) await this.#publish(nats, task)
  }

  async #show(stop: AbortSignal) {
    for await (const _ of every(SHOW_MS, stop)) this.#ledger.show()
  }

  /** Forgets what has ended long ago, and of very many the oldest. */
  async #sweep(nats: Nats) {
    const { stop, isHeld, log } = this.#options
    for await (const _ of every(SWEEP_MS, stop)) {
      const ended = this.#ledger.all().filter(hasEnded) as KeptTask[]
      const old = ended.filter(
        ({ endedAt = 0 }, index) => index < ended.length - MOST_KEPT || Date.now() - endedAt > KEPT_MS,
      )
      if (!isHeld()) continue
      for (const { id } of old) {
        const filter = `$KV.states.${keyOf(id)}`
        const done = await nats.jsm.streams.purge('KV_states', { filter }).catch((error) => log.debug(error))
        if (done) this.#ledger.forget(id)
      }
    }
  }

  /** Looks who asks, and does it, or says why not. */
  #answer(
    type: string,
    make: (nats: Nats, about: unknown, by: string, peer: Connection) => Promise<unknown>,
  ): Answers[string] {
    return async (peer, about) => {
      this.#throwUnlessHeld(peer)
      try {
        const payload = await make(await this.#nats(), about, this.#submitter(peer), peer)
        this.#throwUnlessHeld(peer) // that may be over since it was asked
        return { type, payload }
      } catch (error) {
        const { node, peer: address } = peer
        if (error instanceof JetStreamApiError)
          return { type, payload: { refused: `it cannot be written down: ${error.message}` } }
        if (!(error instanceof NotDone)) throw error instanceof OperationalError ? error : natsProblem(error)
        this.#options.log.warn(`${node ?? address} is refused: ${error.message}`)
        return { type, payload: { refused: error.message } }
      }
    }
  }

  async #nats(): Promise<Nats> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new OperationalError('NATS is not there, or does not answer.')),
        PATIENCE_MS,
      )
    })
    try {
      return await Promise.race([this.#loaded, late])
    } finally {
      clearTimeout(timer)
    }
  }

  #throwUnlessHeld({ peer }: Connection) {
    if (!this.#options.isHeld()) throw new OperationalError(`Cut off ${peer}: this node does not lead now.`)
  }

  #submitter({ node }: Connection): string {
    if (node === undefined) throw new NotDone('who hands in tasks has to prove who it is, by a key')
    if (this.#options.submitters().includes(node)) return node
    throw new NotDone(`${node} is not among those who may hand in tasks`)
  }

  async #submit(nats: Nats, about: unknown, by: string, peer: Connection): Promise<unknown> {
    const { mostWaiting } = this.#options
    const { tasks, follow } = parsed(submission, about, 'what to do')
    const all = await Promise.all(tasks.map((task, index) => this.#made(nats, task, by, index)))
    const room = mostWaiting - this.#ledger.counts.waiting - this.#reserved
    let fresh = 0
    const end = all.findIndex(({ id }) => !this.#ledger.get(id) && ++fresh > room)
    const wanted = end === -1 ? all : all.slice(0, end)
    this.#reserved += wanted.length
    try {
      await Promise.all(wanted.map((task) => this.#add(nats, task)))
    } finally {
      this.#reserved -= wanted.length
    }
    for (const demand of new Set(wanted.map(({ demand }) => demand)))
      nats.connection.publish(SAID.wake, demand)
    const taken = wanted.map(({ id }) => id)
    if (follow) for (const id of taken) this.#followers.follow(this.#ledger.get(id)?.task, peer)
    const full = { waiting: this.#ledger.counts.waiting, most: mostWaiting }
    return { ids: taken, ...(taken.length < all.length && { full }) }
  }

  /** A task as it will be kept, if it can be taken. */
  async #made(
    nats: Nats,
    task: v.InferOutput<typeof submittedTask>,
    by: string,
    index: number,
  ): Promise<KeptTask> {
    const { name, input = null, group, requires = [], id = randomBytes(6).toString('hex') } = task
    const which = `task ${index + 1}`
    const definition = Object.hasOwn(this.#options.tasks, name) ? this.#options.tasks[name] : undefined
    const names = Object.keys(this.#options.tasks).join(', ')
    if (!definition) throw new NotDone(`${which}: there is no task ${textOf(name)}. There is ${names}`)
    if (asciiJson(input).length > MOST_TASK_BYTES)
      throw new NotDone(`${which}: its input is too large: ${MOST_TASK_BYTES} bytes are the most`)
    if ((this.#ledger.get(id)?.task.by ?? by) !== by)
      throw new NotDone(`${which}: there is a task ${id} of another submitter`)
    const needs = [...new Set([...(definition.requires ?? []), ...requires])]
    const demand: Demand = { name, version: definition.version, requires: needs }
    return {
      ...{ id, name, by, input, state: 'waiting', attempts: 0, lost: 0, nodes: [], retries: 0 },
      ...{ at: Date.now(), demand: await nats.addDemand(demand), ...(group !== undefined && { group }) },
    }
  }

  /** Writes a task into the table, and its id into the stream. What is known is not taken twice. */
  async #add(nats: Nats, task: KeptTask) {
    const known = this.#ledger.get(task.id)?.task
    if (known && (known.state !== 'waiting' || known.attempts > 0)) return
    try {
      if (!known) this.#ledger.take(task, await nats.states.create(keyOf(task.id), JSON.stringify(task)))
    } catch (error) {
      if (!isConflict(error)) throw error // otherwise the last leader has written it
    }
    try {
      await this.#publish(nats, task)
    } catch (error) {
      if (error instanceof JetStreamApiError) {
        await nats.states.purge(keyOf(task.id)).catch(() => {})
        this.#ledger.forget(task.id)
      }
      throw error
    }
  }

  async #publish({ js }: Nats, { id, demand, retries }: KeptTask) {
    await js.publish(subjectOf(demand), id, { msgID: retries > 0 ? `${id}#${retries}` : id })
  }

  async #states(_: Nats, about: unknown, __: string, peer: Connection): Promise<unknown> {
    const wanted = parsed(someOrGroup, about, 'which tasks')
    if ('group' in wanted) {
      const all = this.#ledger.ofGroup(wanted.group)
      const after = wanted.after === undefined ? -1 : all.findIndex(({ id }) => id === wanted.after)
      return listed(all.slice(after + 1))
    }
    const known = this.#known(wanted.ids)
    if (wanted.follow) for (const task of known) if (!hasEnded(task)) this.#followers.follow(task, peer)
    return listed(known)
  }

  #known(ids: readonly string[]): KeptTask[] {
    return ids.flatMap((id) => this.#ledger.get(id)?.task ?? [])
  }

  async #cancel(nats: Nats, about: unknown): Promise<unknown> {
    const wanted = parsed(someOrGroup, about, 'which tasks')
    const tasks = 'group' in wanted ? this.#ledger.ofGroup(wanted.group) : this.#known(wanted.ids)
    const changed = await this.#changeAll(nats, tasks, ({ input: _, ...task }) =>
      hasEnded(task) ? undefined : { ...task, state: 'cancelled', endedAt: Date.now() },
    )
    for (const { id } of changed) nats.connection.publish(SAID.cancel, id)
    return { count: changed.length }
  }

  async #retry(nats: Nats, about: unknown): Promise<unknown> {
    const wanted = parsed(someOrAll, about, 'which tasks')
    const tasks = 'all' in wanted ? this.#ledger.failed : this.#known(wanted.ids)
    const changed = await this.#changeAll(nats, tasks, ({ kind, reason, ms, endedAt, seq, ...task }) =>
      task.state === 'failed'
        ? { ...task, state: 'waiting', attempts: 0, lost: 0, nodes: [], retries: task.retries + 1 }
        : undefined,
    )
    await Promise.all(changed.map((task) => this.#publish(nats, task)))
    for (const { demand } of changed) nats.connection.publish(SAID.wake, demand)
    return { count: changed.length }
  }

  /** Changes tasks in the table, some at a time: NATS is to hear other things meanwhile. Returns those that have changed. */
  async #changeAll(
    nats: Nats,
    tasks: readonly KeptTask[],
    change: (task: KeptTask) => KeptTask | undefined,
  ): Promise<KeptTask[]> {
    const changed: KeptTask[] = []
    for (let from = 0; from < tasks.length; from += AT_ONCE) {
      const some = tasks.slice(from, from + AT_ONCE).map(({ id }) => this.#change(nats, id, change))
      changed.push(...(await Promise.all(some)).flatMap((task) => task ?? []))
    }
    return changed
  }

  /** Changes a task in the table, however often another one changes it first. */
  async #change(
    { states }: Nats,
    id: string,
    change: (task: KeptTask) => KeptTask | undefined,
  ): Promise<KeptTask | undefined> {
    for (let known = this.#ledger.get(id); known; ) {
      const changed = change(known.task)
      if (!changed) return undefined
      try {
        this.#take(changed, await states.update(keyOf(id), JSON.stringify(changed), known.revision))
        return changed
      } catch (error) {
        if (!isConflict(error)) throw error
      }
      const entry = await states.get(keyOf(id))
      known = entry?.operation === 'PUT' ? { task: entry.json(), revision: entry.revision } : undefined
    }
    return undefined
  }

  /** What has ended in the last hour: that is all that the table has. */
  #history(about: unknown): { tasks: EndedTask[]; after?: number } {
    const { limit = 50, name, state, after = 0 } = queryFrom(about)
    const all = this.#ledger
      .all()
      .filter(
        (task) =>
          hasEnded(task) && [task.name, undefined].includes(name) && [task.state, undefined].includes(state),
      )
      .sort((one, other) => (other.endedAt ?? 0) - (one.endedAt ?? 0))
    const page = all.slice(after, after + limit).map(endedTask)
    return { tasks: page, ...(all.length > after + limit && { after: after + limit }) }
  }
}

function endedTask(task: KeptTask): EndedTask {
  const { id, name, by, group, state, node, attempts, lost, ms, kind, reason, at, endedAt = at } = task
  return {
    ...{ id, name, by, state: state as EndedTask['state'], attempts, lost, submittedAt: at, at: endedAt },
    ...(group !== undefined && { group }),
    ...(node !== undefined && { node }),
    ...(ms !== undefined && { ms }),
    ...(kind !== undefined && { failure: kind }),
    ...(reason !== undefined && { reason }),
  }
}

/** What somebody asks about, if it is that. */
function parsed<Schema extends v.GenericSchema>(schema: Schema, about: unknown, what: string) {
  const result = v.safeParse(schema, about)
  if (result.success) return result.output as v.InferOutput<Schema>
  throw new NotDone(`${what}: ${result.issues[0].message.slice(0, 200)}`)
}

/** Tasks as an answer, as many as fit into one. */
function listed(tasks: readonly KeptTask[]) {
  let bytes = 0
  const fitting = tasks.findIndex((task) => {
    bytes += asciiJson(stateOf(task)).length + 1
    return bytes > ANSWER_BYTES
  })
  const end = fitting === -1 ? tasks.length : Math.max(1, fitting)
  return { tasks: tasks.slice(0, end).map(stateOf), more: end < tasks.length }
}
