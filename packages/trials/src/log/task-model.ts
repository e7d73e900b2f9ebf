/**
 * A task of the simulated queue, as its clients know it: what they ask for, what they are told, and what that may be when one
 * thing happens after the other. It has nothing in common with the queue that is tried, so that a mistake there is not one here.
 */
import type { SequentialModel } from './linearizable.ts'

/** What a client asks for. A lease has a name that its taker has made up. */
export type TaskInput =
  | { readonly kind: 'submit' }
  | { readonly kind: 'take'; readonly lease: string }
  | { readonly kind: 'finish'; readonly lease: string }
  | { readonly kind: 'read' }

/** What a client is told. `at` is cluster time, in ms, and `is` what the task is then, as {@link readAs} tells it. */
export type TaskOutput =
  | { readonly kind: 'submit' }
  | { readonly kind: 'take'; readonly isTaken: boolean; readonly at: number; readonly is: string }
  | { readonly kind: 'finish'; readonly isDone: boolean }
  | { readonly kind: 'read'; readonly is: string }

/** How long a task is somebody's, in ms of cluster time, unless it is finished before. */
export const LEASE_MS = 1_000

type TaskState =
  | { readonly is: 'unknown' | 'open' }
  /** Until when nobody else gets it: nothing when nobody knows when it was taken. */
  | { readonly is: 'taken'; readonly lease: string; readonly until: number | undefined }
  | { readonly is: 'done'; readonly lease: string }

/** How a task reads: what it is, and whose. */
export function readAs(state: { is: string; lease?: string | undefined }): string {
  return state.lease === undefined ? state.is : `${state.is} by ${state.lease}`
}

/** A task: submitted once or often, taken by one at a time, finished once. */
export const TASK_MODEL: SequentialModel<TaskState, TaskInput, TaskOutput> = {
  initial: { is: 'unknown' },
  key: (state) => (state.is === 'taken' ? `${readAs(state)} until ${state.until}` : readAs(state)),
  step(state, input, output) {
    switch (input.kind) {
      case 'submit':
        return [state.is === 'unknown' ? { is: 'open' } : state]
      case 'read':
        return output === undefined || (output.kind === 'read' && output.is === readAs(state)) ? [state] : []
      case 'finish': {
        const isDone = (state.is === 'taken' || state.is === 'done') && state.lease === input.lease
        if (output?.kind === 'finish' && output.isDone !== isDone) return []
        return [isDone ? { is: 'done', lease: input.lease } : state]
      }
      case 'take':
        return taken(state, input.lease, output?.kind === 'take' ? output : undefined)
    }
  },
}

function taken(
  state: TaskState,
  lease: string,
  output: Extract<TaskOutput, { kind: 'take' }> | undefined,
): readonly TaskState[] {
  const after: TaskState = { is: 'taken', lease, until: output && output.at + LEASE_MS }
  const isHeld = state.is === 'taken'
  // Whether the lease of another one was over then is known only if both times are.
  const isOver = isHeld && output && state.until !== undefined ? output.at >= state.until : undefined
  const mayTake = state.is === 'open' || (isHeld && isOver !== false)
  const mayNot = state.is !== 'open' && (!isHeld || isOver !== true)
  const states = [...(mayTake ? [after] : []), ...(mayNot ? [state] : [])]
  if (!output) return states
  return states.filter((then) => (then === after) === output.isTaken && readAs(then) === output.is)
}
