/**
 * What a node does to its machine because somebody at the other end of a connection asks for it: a task by its name, for who
 * has proven who it is, and has been allowed that task. All of it is in the log.
 *
 * @since 0.23.0
 */
import * as v from 'valibot'
import type { Connection } from './connection.ts'
import type { Answers, AskOptions } from './dialogue.ts'
import { OperationalError } from './lifecycle.ts'
import type { ListeningNode } from './listening-node.ts'
import type { Logger } from './logging.ts'
import { textOf } from './messages.ts'
import { type NodeTask, nodeTasks } from './node-tasks.ts'
import { Refusal } from './open-questions.ts'

/** The question, and the type of its answer. */
const QUESTION = 'task'
const ANSWER = 'task_result'

/** The question for a task of another node, which is passed on to that. */
const PASSED_QUESTION = 'task_of'

/** How much of what a task prints goes back, in lines and in characters for each: the last ones. */
const MOST_LINES = 200
const LONGEST_LINE = 1_000

/** How much of a name that is none is shown in the log, in characters. */
const LONGEST_NAME = 100

/** How long an asker waits, in ms, unless told otherwise. */
const DEFAULT_TASK_TIMEOUT_MS = 60_000

const answered = v.object({
  done: v.boolean(),
  known: v.fallback(v.boolean(), true),
  lines: v.fallback(v.array(v.string()), []),
  why: v.fallback(v.optional(v.string()), undefined),
})

const passed = v.object({ node: v.string(), task: v.string() })

type AllowedTasks = Readonly<Record<string, readonly string[]>>

export interface RemoteTasksOptions {
  /**
   * By the name that an asker has proven to have: the tasks that it may ask for. Whoever is not here may ask for none. A
   * function says what holds now.
   */
  allow: AllowedTasks | (() => AllowedTasks)
  /** Where each asking and its answer is told. */
  log: Logger
  /** What there is. Default: the tasks of `nodeTasks`, which this machine does as this user. */
  tasks?: ReadonlyMap<string, NodeTask>
  /**
   * Who a peer is. Default: the name that it has proven (`connection.node`). A node that connects knows that its peer is who
   * has its key, and may say here what it calls it.
   */
  who?: (peer: Connection) => string | undefined
}

/**
 * The answer to the question `task`, for the answers of a node: `{ ...remoteTasks({ allow, log }) }`.
 *
 * A name is looked up in two tables, that of who may what and that of what there is, and nothing else is done with it. What
 * runs is a list of words without a shell ({@link nodeTasks}). One task of a name is at work at a time. The asker hears the
 * last 200 lines of what it prints, when it has ended, or why it was not done.
 */
export function remoteTasks({
  allow,
  log,
  tasks = nodeTasks(),
  who = ({ node }) => node,
}: RemoteTasksOptions): Answers {
  const mayAsk = (asker: string, name: string) =>
    new Map(Object.entries(typeof allow === 'function' ? allow() : allow)).get(asker)?.includes(name)
  /** By the names of tasks at work: who has asked for it. */
  const atWork = new Map<string, string>()

  /** Why an asker is not done a task; nothing when it is. */
  function whyNot(asker: string | undefined, name: unknown): string | undefined {
    if (asker === undefined) return 'who asks for a task has to prove who it is, by a key'
    // Who may ask for nothing is not told either what there is.
    if (typeof name !== 'string' || !mayAsk(asker, name))
      return `${asker} may not ask for that: its task is not in the list of this node`
    if (!tasks.has(name)) return 'there is no such task here'
    const other = atWork.get(name)
    return other === undefined ? undefined : `it is at work already, for ${other}`
  }

  async function answer(peer: Connection, name: unknown) {
    const asker = who(peer)
    const shownAsker = asker === undefined ? peer.peer : `${asker}, at ${peer.address},`
    const why = whyNot(asker, name)
    if (why !== undefined) {
      log.warn(
        `${shownAsker} asks for the task ${textOf(name).slice(0, LONGEST_NAME)}, and is refused: ${why}`,
      )
      return { done: false, why }
    }
    const [taskName, askerName] = [name as string, asker as string]
    log.info(`${shownAsker} asks for the task ${taskName}, and may: it begins`)
    atWork.set(taskName, askerName)
    const lines: string[] = []
    try {
      await tasks.get(taskName)?.run((line) => {
        lines.push(line.slice(0, LONGEST_LINE))
        if (lines.length > MOST_LINES) lines.shift()
      })
      log.info(`The task ${taskName}, for ${askerName}, is done`)
      return { done: true, lines }
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error
      log.warn(`The task ${taskName}, for ${askerName}, was not done: ${error.message}`)
      return { done: false, lines, why: error.message }
    } finally {
      atWork.delete(taskName)
    }
  }

  return {
    [QUESTION]: async (peer, about) => ({ type: ANSWER, payload: await answer(peer, about) }),
  }
}

/** Who asks, as a dialogue does, and a node that connects. */
interface Asker {
  ask(question: string, options: AskOptions): Promise<unknown>
}

/**
 * Asks a peer for a task.
 *
 * @param name of the task: `code-revision`
 * @param options `timeoutMs`: how long it may take, in ms; default: 60,000. `of`: the node that is to do it, where the peer
 *   passes tasks on ({@link passTasks})
 * @returns the last lines of what it has printed
 * @throws OperationalError when it was not done, or nobody can say whether it was, with why; and what `ask` throws: after a
 *   time that is over it may still be at work
 */
export async function askForTask(
  asker: Asker,
  name: string,
  options: { timeoutMs?: number; of?: string } = {},
): Promise<string[]> {
  const { done, known, lines, why = 'nobody says why' } = await outcomeOf(asker, name, options)
  if (!known) throw new OperationalError(`Whether the task ${name} was done is not known: ${why}`)
  if (!done) throw new OperationalError(`The task ${name} was not done: ${why}`)
  return lines
}

/** What has come of a task, as the peer has it. */
async function outcomeOf(
  asker: Asker,
  name: string,
  { timeoutMs = DEFAULT_TASK_TIMEOUT_MS, of }: { timeoutMs?: number; of?: string } = {},
): Promise<v.InferOutput<typeof answered>> {
  const payload = await (of === undefined
    ? asker.ask(QUESTION, { answer: ANSWER, about: name, timeoutMs })
    : asker.ask(PASSED_QUESTION, { answer: ANSWER, about: { node: of, task: name }, timeoutMs }))
  const parsed = v.safeParse(answered, payload)
  if (!parsed.success)
    throw new OperationalError(`What came of the task ${name} is no answer that can be read.`)
  return parsed.output
}

export interface PassTasksOptions {
  /** The node that passes them on. */
  node: ListeningNode
  /** Who may ask, now, by the names that they have proven to have. */
  askers: () => readonly string[]
  /** Where each asking and its answer is told. */
  log: Logger
}

/**
 * The answer to the question for a task of another node, for the answers of a node that others connect to: who may ask is
 * looked up here, and the node itself has the last word on what it does ({@link remoteTasks}). A node is known by the name
 * that it has proven to have.
 */
export function passTasks({ node, askers, log }: PassTasksOptions): Answers {
  async function pass(peer: Connection, about: unknown) {
    const asker = node.roster.nameOf(peer)
    const parsed = v.safeParse(passed, about)
    if (!parsed.success) return { done: false, why: 'it is not said which task of which node' }
    const { node: name, task } = parsed.output
    const what = textOf(`${task} of ${name}`).slice(0, LONGEST_NAME)
    const refuse = (why: string) => {
      log.warn(`${asker} asks for the task ${what}, and is refused: ${why}`)
      return { done: false, why }
    }
    if (peer.node === undefined || !askers().includes(peer.node))
      return refuse(`${asker} may not ask nodes for tasks`)
    const found = node.roster.entries.find(([{ node }]) => node === name)?.[0]
    if (!found) return refuse(`no node ${name.slice(0, LONGEST_NAME)} is here`)
    log.info(`${asker} asks for the task ${what}`)
    try {
      const {
        done,
        lines,
        why = 'nobody says why',
      } = await outcomeOf({ ask: (question, options) => node.ask(found, question, options) }, task)
      if (!done) return refuse(why)
      log.info(`The task ${what}, for ${asker}, is done`)
      return { done, lines }
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error
      if (error instanceof Refusal) return refuse(error.message)
      // It may be done all the same: a node that was frozen does it when it wakes up.
      log.warn(`Whether the task ${what}, for ${asker}, was done is not known: ${error.message}`)
      return { done: false, known: false, why: error.message }
    }
  }

  return { [PASSED_QUESTION]: async (peer, about) => ({ type: ANSWER, payload: await pass(peer, about) }) }
}
