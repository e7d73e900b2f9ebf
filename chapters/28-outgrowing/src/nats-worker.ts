/** A node that takes tasks from NATS: as many as it has slots, of the demands that it meets. */
import { setTimeout as sleep } from 'node:timers/promises'
import { asciiJson } from '@rpi-cluster/core/frames'
import { every } from '@rpi-cluster/core/lifecycle'
import type { Logger } from '@rpi-cluster/core/logging'
import { hasEnded, type WorkerRow } from '@rpi-cluster/core/tasks'
import { type TaskDefinitions, TaskFailure, type TaskPool } from '@rpi-cluster/core/worker'
import {
  type Demand,
  isConflict,
  isReached,
  type KeptTask,
  keyOf,
  type Nats,
  natsProblem,
  SAID,
} from './nats.ts'
import { type Delivery, nextDelivery } from './nats-delivery.ts'
import type { Worker } from './work-queue.ts'

/** How often is looked for what nobody has told of, such as tasks that come back, and how often is told what it does, in ms. */
const LOOK_MS = 1_000

/** How long an answer of NATS may take, in ms, and how long is waited after one that did not come. */
const ANSWER_MS = 2_000
const AGAIN_MS = 500

/** After how long without an answer NATS is not waited for any more by a node that stops, in ms. */
const GONE_MS = 1_000

/** How many nodes may be lost with a task, and how long one waits that has failed, at first and at most, in ms: as in the own queue. */
const LOST_TO_FAIL = 3
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 30_000

/** What part of what a task takes the newest one is, of the mean that is shown. */
const NEWEST_PART = 0.2

export interface NatsWorkerOptions {
  connected: Promise<Nats>
  name: string
  pool: Pick<TaskPool, 'run'>
  tasks: TaskDefinitions
  slots: number
  /** After how long NATS gives a task to another one of which nothing is said, in seconds. */
  leaseSeconds: number
  attempts: number
  has: readonly string[]
  log: Logger
  stop: AbortSignal
}

/** A task that this node has, with the revision of the table that says so. */
interface Taken {
  readonly task: KeptTask
  readonly revision: number
}

export class NatsWorker implements Worker {
  readonly handlers = {}

  readonly #options: NatsWorkerOptions
  readonly #has: ReadonlySet<string>
  /** The demands that it meets, and those of them for which there may be something: how often that was said. */
  readonly #demands = new Set<string>()
  readonly #hot = new Map<string, number>()
  #said = 0
  readonly #running = new Map<string, { name: string; cancel: AbortController }>()
  readonly #msPerTask = new Map<string, number>()
  #done = 0
  #failed = 0
  #isDraining = false
  #wake: (() => void)[] = []

  constructor(options: NatsWorkerOptions) {
    this.#options = options
    const bits = /64/.test(process.arch) ? '64-bit' : '32-bit'
    this.#has = new Set([...options.has, bits, process.platform])
    void this.#run().catch((error) => {
      if (!options.stop.aborted) throw error
    })
  }

  /** NATS knows it already. */
  async introduce() {}

  /** Takes no more, and waits for what it has; but not for a NATS that is not there, which hands that out again. */
  async drain() {
    const { connected, log, stop } = this.#options
    this.#isDraining = true
    this.#wakeAll()
    let reachedAt = performance.now()
    for await (const _ of every(50, stop)) {
      if (this.#running.size === 0) return
      if (await isReached(await connected, GONE_MS)) reachedAt = performance.now()
      else if (performance.now() - reachedAt > GONE_MS) break
    }
    if (!stop.aborted)
      log.warn(
        `NATS is not reached, and gives what is in work here to another node when it is back: ${[...this.#running.keys()].join(', ')}`,
      )
  }

  async #run() {
    const { connected, slots, stop } = this.#options
    const nats = await connected
    const { connection } = nats
    connection.subscribe(SAID.wake, { callback: (_, said) => this.#heat(said.string()) })
    connection.subscribe(SAID.cancel, {
      callback: (_, said) => this.#running.get(said.string())?.cancel.abort(),
    })
    await Promise.all([
      this.#learn(nats),
      this.#look(nats),
      ...Array.from({ length: slots }, () => this.#work(nats)),
    ]).catch((error) => {
      if (!stop.aborted) throw error
    })
  }

  /** Learns which demands there are. */
  async #learn({ demands }: Nats) {
    const { tasks, stop } = this.#options
    while (!stop.aborted) {
      const watch = await demands.watch().catch(() => undefined)
      if (watch) stop.addEventListener('abort', () => watch.stop(), { once: true })
      for await (const entry of watch ?? []) {
        if (entry.operation !== 'PUT') continue
        const { name, version, requires } = entry.json<Demand>()
        if (tasks[name]?.version !== version || !requires.every((what) => this.#has.has(what))) continue
        this.#demands.add(entry.key)
        this.#heat(entry.key)
      }
      await sleep(AGAIN_MS)
    }
  }

  /** Says what it does, and looks for what comes back to the queue: NATS says to nobody that it has. */
  async #look({ connection }: Nats) {
    for await (const _ of every(LOOK_MS, this.#options.stop)) {
      for (const demand of this.#demands) this.#heat(demand)
      if (!connection.isClosed()) connection.publish(SAID.worker, JSON.stringify(this.#row()))
    }
  }

  #row(): WorkerRow {
    const { name: node, slots } = this.#options
    return {
      ...{ node, slots, inFlight: this.#running.size, done: this.#done, failed: this.#failed },
      running: [...this.#running].map(([id, { name }]) => ({ id, name })),
      msPerTask: Object.fromEntries(this.#msPerTask),
      ...{ has: [...this.#has], memoryMb: 0, state: this.#isDraining ? 'draining' : 'ready' },
      why: 'It takes from NATS what it can do',
    }
  }

  #heat(demand: string) {
    if (!this.#demands.has(demand)) return
    this.#said += 1
    this.#hot.set(demand, this.#said)
    this.#wakeAll()
  }

  #wakeAll() {
    for (const wake of this.#wake.splice(0)) wake()
  }

  /** What one slot does: one task after the other. */
  async #work(nats: Nats) {
    const { log, stop } = this.#options
    while (!stop.aborted && !this.#isDraining) {
      const [hot] = this.#hot
      if (!hot) {
        await new Promise<void>((resolve) => this.#wake.push(resolve))
        continue
      }
      const [demand, said] = hot
      try {
        const message = await nextDelivery(nats.connection, demand, ANSWER_MS)
        if (message) await this.#do(nats, message)
        else if (this.#hot.get(demand) === said) this.#hot.delete(demand)
        // The next one is of another demand, if there is one.
        else this.#hot.delete(demand) && this.#hot.set(demand, this.#said)
      } catch (error) {
        if (stop.aborted) return
        log.debug(natsProblem(error))
        await sleep(AGAIN_MS)
      }
    }
  }

  async #do(nats: Nats, message: Delivery) {
    const { leaseSeconds } = this.#options
    const taken = await this.#take(nats, message)
    if (!taken) return message.ack() // it has ended, or it is another one's
    const working = setInterval(() => message.working(), (leaseSeconds * 1_000) / 3)
    try {
      await this.#attempt(nats, taken, message)
    } finally {
      clearInterval(working)
    }
  }

  /** Says in the table that this node has it. Undefined when there is nothing to do. */
  async #take({ states }: Nats, message: Delivery): Promise<Taken | undefined> {
    const { name: node, log } = this.#options
    for (;;) {
      const entry = await states.get(keyOf(message.id))
      if (entry?.operation !== 'PUT') return undefined
      const task = entry.json<KeptTask>()
      if (hasEnded(task)) return undefined
      const wasLost = task.state === 'running'
      if (wasLost && task.seq !== message.seq) return undefined // it was handed in twice
      const lost = task.lost + (wasLost ? 1 : 0)
      const reason = `${lost} nodes were lost with it: ${task.nodes.join(', ')}`
      const next: KeptTask =
        lost < LOST_TO_FAIL
          ? {
              ...{ ...task, state: 'running', node, attempts: task.attempts + 1, lost, seq: message.seq },
              nodes: [...new Set([...task.nodes, node])],
            }
          : { ...task, state: 'failed', lost, kind: 'poison', reason, endedAt: Date.now() }
      try {
        const revision = await states.update(entry.key, JSON.stringify(next), entry.revision)
        if (wasLost) log.warn(`${task.name} ${task.id} was lost with ${task.node}`)
        return next.state === 'running' ? { task: next, revision } : undefined
      } catch (error) {
        if (!isConflict(error)) throw error
      }
    }
  }

  async #attempt(nats: Nats, { task, revision }: Taken, message: Delivery) {
    const { pool, attempts, stop } = this.#options
    const { id, name, input = null, attempts: attempt } = task
    const cancel = new AbortController()
    this.#running.set(id, { name, cancel })
    let ms: number | undefined
    const how = {
      signal: cancel.signal,
      progress: (part: number) => nats.connection.publish(SAID.progress, JSON.stringify([id, part])),
      measured: (took: number) => {
        ms = Math.round(took * 1_000) / 1_000
      },
    }
    const ended = (end: Partial<KeptTask>): KeptTask => ({
      ...task,
      ...end,
      endedAt: Date.now(),
      ...(ms !== undefined && { ms }),
    })
    try {
      const result: unknown = JSON.parse(await pool.run({ id, name, input: asciiJson(input), attempt }, how))
      this.#done += 1
      if (ms !== undefined) this.#measured(name, ms)
      const { input: _, ...kept } = ended({ state: 'done', result })
      await this.#keep(nats, kept, revision, () => message.ack())
    } catch (error) {
      if (stop.aborted) return
      if (!(error instanceof TaskFailure)) throw error
      if (error.kind === 'cancelled') return message.end()
      this.#failed += 1
      const { kind, message: reason } = error
      const failures = attempt - task.lost
      const { seq: _, ...waiting } = task
      if (failures >= attempts)
        await this.#keep(nats, ended({ state: 'failed', kind, reason }), revision, () => message.end())
      else
        await this.#keep(nats, { ...waiting, state: 'waiting' }, revision, () =>
          message.again(Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS)),
        )
    } finally {
      this.#running.delete(id)
    }
  }

  /** Keeps what has become of a task, as soon as NATS takes it: unless another node has it, or somebody has cancelled it. */
  async #keep({ states }: Nats, task: KeptTask, revision: number, then: () => void) {
    const { log, stop } = this.#options
    while (!stop.aborted) {
      try {
        await states.update(keyOf(task.id), JSON.stringify(task), revision)
        return then()
      } catch (error) {
        if (isConflict(error))
          return log.warn(`${task.name} ${task.id} is another one's by now: its end does not count`)
        log.debug(natsProblem(error))
        await sleep(AGAIN_MS)
      }
    }
  }

  #measured(name: string, ms: number) {
    const mean = this.#msPerTask.get(name) ?? ms
    this.#msPerTask.set(name, Math.round((mean + NEWEST_PART * (ms - mean)) * 100) / 100)
  }
}
