/** A chapter's cluster in the page: a worker for each node, a network in memory between them, and one clock for all. */
import type { LabAction, Lane, LabEvent } from '@rpi-cluster/tutorial/lab/events'
import type { LiveChapter } from './chapter.ts'

export interface LiveOptions {
  /** Where the program of a node's worker is: what the build made of `worker.ts`. */
  worker: string | URL
  /** How many of the program that may have several. Default: as the chapter says. 1 to {@link MOST_NODES} nodes in all. */
  copies?: number
  /** What the reader has changed: takes the place of the chapter's file with this path. */
  files?: Record<string, string>
}

/** A mistake in what the reader wrote, found before it runs. */
export interface SourceProblem {
  file: string
  /** From 1. */
  line: number
  column: number
  message: string
}

/** The most nodes that run in a page. */
export const MOST_NODES = 8

/** A chapter's cluster. */
export declare class LiveCluster {
  /** Who is there, in the order in which they start. Grows and shrinks with {@link setCopies}. */
  readonly lanes: Lane[]
  /** The time since the start, in seconds, on the clock that the reader stops and slows. */
  readonly seconds: number
  readonly isPaused: boolean
  constructor(chapter: LiveChapter, options: LiveOptions, onEvents: (events: LabEvent[]) => void)
  /** Starts all, each when those before it are ready. Returns when the last one has been started. */
  start(): Promise<void>
  /** Carries out what a button says. */
  do(action: LabAction): void
  /** Sends a signal, as Ctrl-C does: the program may end by itself. */
  signal(lane: string, signal: 'SIGINT' | 'SIGTERM'): void
  /** Lets so many copies run of the program that may have several: starts or kills the last ones. */
  setCopies(copies: number): void
  /** From the next start (`restart`) of a node on, these texts take the place of its files. Returns what cannot be read in them. */
  setFiles(files: Record<string, string>): SourceProblem[]
  pause(): void
  resume(): void
  /** 1 is real time, 0.1 ten times slower. */
  setSpeed(factor: number): void
  /** Lets so much time pass, and pauses. */
  step(ms: number): Promise<void>
  /** Who connected, and from where, by the numbers that the events of the wire have. */
  readonly connections: { lane: string; address: string }[]
  /** Ends all workers. */
  close(): void
}
