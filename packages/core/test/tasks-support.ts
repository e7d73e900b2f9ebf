/** A primary with tasks, and nodes and submitters that are written by hand: each says what the test lets it say. */
import { once, setMaxListeners } from 'node:events'
import type { Socket } from 'node:net'
import { expect, vi } from 'vitest'
import { Dialogue } from '../src/dialogue.ts'
import type { Handlers } from '../src/messages.ts'
import { send } from '../src/messages.ts'
import { ListeningNode } from '../src/node.ts'
import { type Connection, connect } from '../src/sockets.ts'
import { type TaskEvent, type TaskJournal, Tasks, type TasksOptions } from '../src/tasks.ts'
import { recordingLog, stopAfterTest } from './support.ts'

const PATIENCE = { timeout: 30_000, interval: 5 }

/** A task as it comes to a worker. */
export interface Given {
  id: string
  lease: number
  name: string
  input: unknown
  attempt: number
}

export interface HandWorker {
  connection: Connection
  /** What was said of tasks, to the letter. */
  heard: unknown[]
  /** What has come, in order. */
  given: Given[]
  cancelled: string[]
  send: (type: string, payload: unknown) => void
  introduce: (more?: Record<string, unknown>) => void
  /** Ends the next task that has come, or the one that is named. */
  end: (task: Given, outcome?: Record<string, unknown>) => void
  lose: () => void
}

const TASKS = {
  add: { version: 1 },
  shoot: { version: 1, requires: ['camera'] },
  huge: { version: 2, memoryMb: 4_000 },
}

/** A journal in memory, which fails or takes its time when the test says so. */
export function aJournal(before: TaskEvent[] = []) {
  const journal = {
    events: [] as TaskEvent[],
    tries: 0,
    fails: false,
    gate: Promise.resolve(),
    recovered: () => before,
    async write(written: readonly TaskEvent[]) {
      journal.tries += 1
      await journal.gate
      if (journal.fails) throw new Error('no space left')
      journal.events.push(...written)
    },
  }
  return journal satisfies TaskJournal
}

/** A primary that listens, with who may submit. */
export async function aPrimary(options: Partial<TasksOptions> = {}) {
  const { signal: stop } = stopAfterTest()
  setMaxListeners(0, stop)
  const { log, records } = recordingLog()
  let comesNext: string | undefined
  const secure = async (socket: Socket) => ({ socket, ...(comesNext !== undefined && { node: comesNext }) })
  const node = new ListeningNode({ peer: 'node', host: '127.0.0.1', port: 0, stop, log, secure })
  const tasks = new Tasks({
    ...{ node, log, stop, tasks: TASKS, submitters: () => ['desk', 'page'] },
    ...options,
  })
  node.handlers = { ...tasks.handlers }
  node.answers = { ...tasks.answers }
  void node.run()
  const lines = () => records.map(({ level, msg }) => `${level} ${msg}`)
  const port = () => Number(/Listening on .*:(\d+)$/m.exec(lines().join('\n'))?.[1])
  await vi.waitFor(() => expect(port()).toBeGreaterThan(0), PATIENCE)

  /** Connects as who has proven a name, or as one who has not. */
  async function come(name: string | undefined, handlers: Handlers = {}) {
    comesNext = name
    const before = node.roster.members.length
    const connection = await connect({ peer: 'primary', host: '127.0.0.1', port: port(), stop })
    await vi.waitFor(() => expect(node.roster.members.length).toBeGreaterThan(before), PATIENCE)
    const dialogue = new Dialogue(connection, { handlers, unknown: () => {} })
    dialogue.ended.catch(() => {})
    // Where there is little time a test takes longer than silence is borne.
    const beating = setInterval(() => void send(connection, 'beat', null)?.catch(() => {}), 4_000)
    connection.socket.once('close', () => clearInterval(beating))
    return { connection, dialogue }
  }

  async function aWorker(
    name: string,
    introduction: Record<string, unknown> | null = {},
    /** As long as it is pending, nothing more is read. */
    reads: Promise<void> | undefined = undefined,
  ): Promise<HandWorker> {
    const heard: unknown[] = []
    const given: Given[] = []
    const cancelled: string[] = []
    const { connection } = await come(name, {
      tasks: (payload) => {
        heard.push(payload)
        given.push(...listOf<Given>(payload))
        return reads
      },
      task_cancel: (payload) => {
        heard.push(payload)
        cancelled.push(...listOf<string>(payload))
      },
    })
    const say = (type: string, payload: unknown) => void send(connection, type, payload)
    const introduce = (more: Record<string, unknown> = {}) =>
      say('worker', {
        tasks: { add: 1, shoot: 1, huge: 2 },
        ...{ slots: 2, memory_mb: 1_000, has: ['linux', '64-bit'], draining: false, holds: [] },
        ...introduction,
        ...more,
      })
    if (introduction) introduce()
    return {
      ...{ connection, heard, given, cancelled, send: say, introduce },
      end: ({ id, lease }, outcome = { result: id }) => say('task_ends', [{ id, lease, ms: 1, ...outcome }]),
      lose: () => connection.socket.destroy(),
    }
  }

  const submit = async (dialogue: Dialogue, list: unknown[], follow = false) =>
    (await dialogue.ask('submit', { answer: 'submitted', about: { tasks: list, follow } })) as {
      ids: string[]
      full?: { waiting: number; most: number }
      refused?: string
    }

  return {
    node,
    tasks,
    stop,
    records,
    lines,
    port,
    come,
    aWorker,
    submit,
    waitFor: (check: () => void) => vi.waitFor(check, PATIENCE),
  }
}

/** What is in a message, whether it says besides whose it is or not. */
function listOf<Thing>(payload: unknown): Thing[] {
  return Array.isArray(payload) ? payload : (payload as { tasks: Thing[] }).tasks
}

export async function closed({ socket }: Connection): Promise<void> {
  if (!socket.destroyed) await once(socket, 'close')
}
