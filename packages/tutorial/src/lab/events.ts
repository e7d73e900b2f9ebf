/**
 * What happens in a cluster that is watched, and what can be done to it, as plain data: the lab's recording has it a
 * line each, its page and the site's draw it, and a scenario is made of it.
 */
import type { Direction } from '../faults/fault.ts'
import type { WireEvent } from '../record/wire.ts'

/** A node of the cluster: a process here, a worker in the site's page. */
export interface Lane {
  /** The name that its lines begin with: `node 2`. */
  name: string
  /** Which program of the chapter it runs. */
  program: string
  /** The lane that it connects to. */
  connectsTo?: string
}

/** Something that happened. Times are in seconds since the recording's zero. */
export type LabEvent = WireEvent | LineSaid | StateChanged | Done | Checked

/** A program has printed a line. */
export interface LineSaid {
  type: 'line'
  at: number
  lane: string
  text: string
  /** How serious it is, where it says so. */
  level?: 'debug' | 'info' | 'warning' | 'error'
}

/** A process is now in another state than before. */
export interface StateChanged {
  type: 'state'
  at: number
  lane: string
  state: 'started' | 'ready' | 'stopped' | 'continued' | 'ended'
  /** Of `ended`: how, in words, with the exit code or the signal. */
  how?: string
}

/** An action was carried out: by the reader, by a scenario, or as part of a larger one. */
export interface Done {
  type: 'done'
  at: number
  action: LabAction
}

/** A scenario has held a promise against what happened. */
export interface Checked {
  type: 'checked'
  at: number
  promise: string
  kept: boolean
  why?: string
}

/** How a process has ended that did what it was to do. */
export const ENDED_WELL = 'with exit code 0'

/** What can be done: to a node, to a link (named by the lane that connects), to all. */
export type LabAction =
  | { do: 'kill' | 'stop' | 'continue' | 'restart' | 'cut' | 'heal'; lane: string }
  /** Its clock goes wrong by so many seconds, from its next start on at the latest. */
  | { do: 'skew'; lane: string; seconds: number }
  | { do: 'black-hole'; lane: string; direction: Direction | 'both' }
  | { do: 'delay'; lane: string; delayMs: number; jitterMs?: number }
  | { do: 'trickle'; lane: string; bytesPerSecond: number }
  /** A command of the chapter is started. Spaces separate its arguments, but not in quotation marks. */
  | { do: 'run'; lane: string; args: string }
  /** Nodes reach only those of their own group. Who is in none reaches everybody. */
  | { do: 'partition'; groups: string[][] }
  | { do: 'heal-all' }
