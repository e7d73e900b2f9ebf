/** A cluster as a page or a terminal sees it: what is there, what has happened, and what can be done. */
import type { LabAction, LabEvent, Lane } from './events.ts'

/** A running lab, or a recording that is played: who shows one can show the other. */
export interface Watched {
  /** The chapter: `03-sockets`. */
  readonly chapterName: string
  /** Its nodes, in the order in which they start. */
  readonly lanes: readonly Lane[]
  /** The chapter's commands that can be run here. */
  readonly commands: readonly string[]
  /** The time since its zero, in seconds. */
  seconds(): number
  /** What has happened so far, in the order of time, for who comes late. After hours the first of it is left out. */
  history(): readonly LabEvent[]
  /**
   * Tells what happens from now on, in the order of time, what happened within some milliseconds together.
   *
   * @returns ends that
   */
  onEvents(listener: (events: readonly LabEvent[]) => void): () => void
  /**
   * Does something to a node, a link or all. Resolves when it is done, and an event says so.
   *
   * @throws ReaderError when there is no such node or action, or this is a recording: what, where, and what to do
   */
  do(action: LabAction): Promise<void>
  /** Ends it, and everything that belongs to it. */
  close(): Promise<void>
}
