/**
 * What can be said of a task that was handed in: where it stands, who tries it, how often, and how it ended. In words that go
 * over the wire.
 *
 * @since 0.24.0
 */
import * as v from 'valibot'
import { DEFAULT_MAX_FRAME_BYTES } from './frames.ts'

/**
 * How large an input and a result may be, as JSON in bytes: what fits into a frame, with 4 KiB for what stands around it.
 */
export const MOST_TASK_BYTES = DEFAULT_MAX_FRAME_BYTES - 4 * 1024

/** How long the texts are that say why a task failed, in characters. What is longer is cut. */
const LONGEST_REASON = 500

/** How many tags a task may require. */
const MOST_REQUIRED = 8

/** An id goes into frames and logs as it stands. */
const ID = /^[\w.:/-]{1,100}$/

/** A text for people that is short, and one line. */
const LABEL = /^[^\p{Cc}\p{Zl}\p{Zp}]{1,100}$/u

/** Where a task stands. It is in one of these at any moment, and out of the last three comes none but by `retry`. */
export const TASK_STATES = ['waiting', 'running', 'done', 'failed', 'cancelled'] as const

/** @internal */
export const taskId = v.pipe(v.string(), v.regex(ID, 'an id has up to 100 letters, digits, and . _ : / -'))
/** @internal */
export const taskLabel = v.pipe(
  v.string(),
  v.regex(LABEL, 'a text of 1 to 100 characters in one line is expected'),
)
const wholeNumber = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

/**
 * What is handed in. Its input is looked at apart: it may be anything that JSON has.
 *
 * @internal
 */
export const submittedTask = v.object({
  name: v.string(),
  input: v.optional(v.unknown()),
  group: v.optional(taskLabel),
  requires: v.optional(
    v.pipe(v.array(taskLabel), v.maxLength(MOST_REQUIRED, `at most ${MOST_REQUIRED} texts are expected`)),
  ),
  id: v.optional(taskId),
})

/** What is handed in: a task by its name, and what it is to be done with. */
export interface NewTask {
  /** The name that nodes know it by: `mandelbrot`. */
  name: string
  /** Anything that has a JSON form, of at most {@link MOST_TASK_BYTES}. Default: null. */
  input?: unknown
  /** What it belongs to, with others: a text of up to 100 characters. */
  group?: string
  /** What a node must have to do it, beside what the task's definition requires: up to eight texts, as `camera`. */
  requires?: readonly string[]
  /**
   * An id of the submitter's own: up to 100 letters, digits, and any of `. _ : / -`. Handed in twice it is one task, as long
   * as the primary knows the first. Default: the client makes one.
   */
  id?: string
}

const taskState = v.object({
  /** What it is known by. */
  id: taskId,
  name: v.string(),
  /** What it belongs to. */
  group: v.optional(v.string()),
  /** Who has submitted it. */
  by: v.string(),
  state: v.picklist(TASK_STATES),
  /** Where it is tried, or was tried last. */
  node: v.optional(v.string()),
  /** How often it was handed to a node that did not give it back untouched. */
  attempts: wholeNumber,
  /** How many nodes were lost with it. */
  lost: wholeNumber,
  /** How far it is, from 0 to 1, if it says that. */
  progress: v.optional(v.number()),
  /** How long it ran in the end, in ms. */
  ms: v.optional(v.number()),
  /** What it made, when it is done. */
  result: v.optional(v.unknown()),
  /** How it failed, when it has: `threw`, `late`, `memory`, `poison` and others. */
  kind: v.optional(v.string()),
  /** Why, in words. */
  reason: v.optional(v.string()),
})

/** Where a task stands. */
export type TaskState = v.InferOutput<typeof taskState>

/** A task that has ended. */
export type TaskEnd = TaskState & { state: 'done' | 'failed' | 'cancelled' }

/**
 * What the primary says of some tasks.
 *
 * @internal
 */
export const taskStates = v.object({ tasks: v.array(taskState), more: v.fallback(v.boolean(), false) })
/** @internal */
export const taskEnds = v.array(taskState)

/** Whether a task has ended. */
export function hasEnded(task: TaskState): task is TaskEnd {
  return task.state !== 'waiting' && task.state !== 'running'
}

/**
 * Why something failed, as it is kept: one line, cut where it is long.
 *
 * @internal
 */
export function reasonOf(text: unknown): string {
  const line = typeof text === 'string' ? text.replace(/\s+/g, ' ').trim() : ''
  return line.length > LONGEST_REASON ? `${line.slice(0, LONGEST_REASON)}...` : line
}
