/**
 * What the cluster has in NATS JetStream: a stream of what is to be done, from which each task goes when it has ended, and a
 * table of what has become of each.
 *
 * | In NATS | What it is |
 * | --- | --- |
 * | stream `TASKS` | a work queue: the ids of tasks that have not ended. Who takes one says so again and again, and acknowledges it at its end; what is not is delivered again, to another one |
 * | a consumer for each demand | a demand is a task's name and version, and what a node must have: server 2.9 lets a consumer have one subject |
 * | table `demands` | which there are |
 * | table `states` | each task: its input, where it stands, its result |
 */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  AckPolicy,
  DiscardPolicy,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
} from '@nats-io/jetstream'
import { type KV, Kvm } from '@nats-io/kv'
import { connect, type NatsConnection, nanos } from '@nats-io/transport-node'
import { OperationalError } from '@rpi-cluster/core/lifecycle'
import type { Logger } from '@rpi-cluster/core/logging'
import { textOf } from '@rpi-cluster/core/messages'
import { connect as connectTo } from '@rpi-cluster/core/sockets'
import type { TaskState } from '@rpi-cluster/core/tasks'

export const TASKS = 'TASKS'

/** Said to all who are there, and kept nowhere. */
export const SAID = {
  /** A demand for which there is something new. */
  wake: 'rpicluster.wake',
  /** The id of a task that was cancelled. */
  cancel: 'rpicluster.cancel',
  /** How far a task is. */
  progress: 'rpicluster.progress',
  /** What a node does. */
  worker: 'rpicluster.worker',
}

/** For how long NATS knows that it was given an id, in ms: as long as the own queue knows a task that has ended. */
const KNOWN_MS = 3_600_000

/** How long to wait until NATS is tried again that is not there, in ms. */
const AGAIN_MS = 250

/** How long it may take to answer one who connects, in ms. */
const ANSWER_MS = 2_000

/** How long what connects to it may keep a program that ends, in ms: a try of the client cannot be called off, and takes minutes. */
const LAST_MS = 600

/** What a task needs. */
export interface Demand {
  name: string
  version: number
  requires: readonly string[]
}

/** A task, as the table has it. */
export interface KeptTask extends TaskState {
  input?: unknown
  demand: string
  /** When it was handed in, and when it ended, in ms since 1970. */
  at: number
  endedAt?: number
  /** Where it was tried. */
  nodes: string[]
  /** By which message of the stream it is done now. */
  seq?: number
  /** How often somebody has had it tried again after it had failed for good. */
  retries: number
}

/** What has a connection to NATS, with everything made there that is needed. */
export interface Nats {
  readonly connection: NatsConnection
  readonly js: JetStreamClient
  readonly jsm: JetStreamManager
  readonly states: KV
  readonly demands: KV
  /** Calls this whenever NATS is reached again. Returns what ends that. */
  onReconnect(call: () => void): () => void
  /** Has a consumer made for a demand, once. */
  addDemand(demand: Demand): Promise<string>
}

export interface NatsOptions {
  host: string
  natsPort: number
  natsMb: number
  leaseSeconds: number
  token: string
  name: string
  log: Logger
  stop: AbortSignal
}

/** Connects, as soon as NATS is there, and again whenever that is lost. Rejects when it is stopped first. */
export async function connectNats(options: NatsOptions): Promise<Nats> {
  const { host, natsPort, log, stop } = options
  let isConnecting = true
  stop.addEventListener('abort', () => {
    if (isConnecting) setTimeout(() => process.exit(), LAST_MS).unref()
  })
  const connection = await connectFirst(options)
  isConnecting = false
  log.info(`Connected to NATS at ${host}:${natsPort}`)
  const reconnected = new Set<() => void>()
  void tellStatus(connection, log, (isReached) => {
    isConnecting = !isReached
    if (isReached) for (const call of [...reconnected]) call()
  })
  const close = () => void connection.close()
  if (stop.aborted) close()
  else stop.addEventListener('abort', () => setTimeout(close, 100)) // what ends says so before
  for (;;) {
    try {
      return { ...(await openAll(connection, options)), onReconnect: (call) => listen(reconnected, call) }
    } catch (error) {
      stop.throwIfAborted()
      log.warn(`NATS cannot be used yet: ${(error as Error).message}`)
      await sleep(AGAIN_MS * 4, undefined, { signal: stop })
    }
  }
}

/** Connects for the first time, and says once why it cannot. The client is asked when somebody listens there: it cannot be stopped. */
async function connectFirst({
  host,
  natsPort,
  token,
  name,
  log,
  stop,
}: NatsOptions): Promise<NatsConnection> {
  const servers = `${host}:${natsPort}`
  let told = ''
  for (;;) {
    try {
      const { socket } = await connectTo({ peer: 'NATS server', host, port: natsPort, stop })
      socket.destroy()
      return await connect({
        ...{ servers, token, name, maxReconnectAttempts: -1, reconnectTimeWait: AGAIN_MS },
        ...{ timeout: ANSWER_MS, pingInterval: 2_000, maxPingOut: 2, ignoreAuthErrorAbort: true },
      })
    } catch (error) {
      stop.throwIfAborted()
      const { message } = error as Error
      const why =
        error instanceof OperationalError
          ? `NATS is not reached. ${message} On this machine "engines" starts it.`
          : `NATS at ${servers} cannot be used yet: ${message}`
      if (why !== told) log.warn(why)
      told = why
      await sleep(AGAIN_MS, undefined, { signal: stop })
    }
  }
}

/** Whether NATS answers within so many ms. */
export async function isReached({ connection }: Nats, ms: number): Promise<boolean> {
  const answered = connection.flush().then(
    () => true,
    () => false,
  )
  return await Promise.race([answered, sleep(ms, false, { ref: false })])
}

async function tellStatus(connection: NatsConnection, log: Logger, changed: (isReached: boolean) => void) {
  for await (const { type } of connection.status()) {
    if (type !== 'disconnect' && type !== 'reconnect') continue
    if (type === 'disconnect') log.warn('NATS is not reached')
    else log.info('NATS is reached again')
    changed(type === 'reconnect')
  }
}

function listen(calls: Set<() => void>, call: () => void) {
  calls.add(call)
  return () => void calls.delete(call)
}

async function openAll(connection: NatsConnection, options: NatsOptions): Promise<Omit<Nats, 'onReconnect'>> {
  const { natsMb, leaseSeconds } = options
  const jsm = await jetstreamManager(connection)
  const js = jetstream(connection)
  const bytes = Math.floor((natsMb * 1024 * 1024) / 4)
  await jsm.streams.add({
    ...{ name: TASKS, subjects: [`rpicluster.tasks.*`], retention: RetentionPolicy.Workqueue },
    ...{ discard: DiscardPolicy.New, max_bytes: bytes, duplicate_window: nanos(KNOWN_MS) },
  })
  const kvm = new Kvm(js)
  const states = await kvm.create('states', { history: 1, max_bytes: 3 * bytes })
  const demands = await kvm.create('demands', { history: 1 })
  const made = new Map<string, Promise<string>>()

  const make = async (demand: Demand): Promise<string> => {
    const key = demandKey(demand)
    await jsm.consumers.add(TASKS, {
      ...{ durable_name: key, filter_subject: subjectOf(key), ack_policy: AckPolicy.Explicit },
      ...{ ack_wait: nanos(leaseSeconds * 1_000), max_ack_pending: 100_000 },
    })
    await demands.put(key, JSON.stringify(demand))
    return key
  }
  const addDemand = (demand: Demand) => {
    const key = demandKey(demand)
    const known = made.get(key) ?? make(demand)
    made.set(key, known)
    known.catch(() => made.delete(key))
    return known
  }
  return { connection, js, jsm, states, demands, addDemand }
}

/** A key for a demand. */
function demandKey({ name, version, requires }: Demand): string {
  const about = JSON.stringify([name, version, [...requires].sort()])
  return `${name}-${createHash('sha256').update(about).digest('hex').slice(0, 12)}`
}

export function subjectOf(demand: string): string {
  return `rpicluster.tasks.${demand}`
}

/** A key of the table for an id, which may have what a key may not. */
export function keyOf(id: string): string {
  return id.replace(/[.:]/g, (char) => (char === '.' ? '=2e' : '=3a'))
}

/** What NATS says when somebody else has changed a task first. */
export function isConflict(error: unknown): boolean {
  return /wrong last sequence/.test((error as Error).message)
}

/** What a failure of NATS is here. */
export function natsProblem(error: unknown): OperationalError {
  return new OperationalError(`NATS does not do that: ${textOf((error as Error).message)}`)
}
