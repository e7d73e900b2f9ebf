/**
 * What a replicated log is for: something that every member has, and that is the same on each, since all apply the same
 * entries in the same order (Schneider, "Implementing fault-tolerant services using the state machine approach", 1990).
 *
 * @since 0.27.0
 */

/** What a machine gets to know of an entry of the log. */
export interface MachineEntry {
  /** Its place in the log, from 1 on. Between two that are applied there may be some that are not for the machine. */
  readonly index: number
  /** When it was made, in ms of the cluster's time: that of an entry is never lower than that of the one before. */
  readonly time: number
  /** What it says, in whatever form whoever proposed it and the machine have agreed on. */
  readonly data: string
}

/**
 * A state that is a function of the entries that were applied, and of nothing else: neither of a clock, nor of chance, nor of
 * how often it was saved and read again. Whoever applies the same has the same.
 */
export interface StateMachine {
  /**
   * Applies an entry, each once, in order. It never throws: what is wrong in an entry was taken by a majority, so that all
   * have to pass it over alike.
   */
  apply(entry: MachineEntry): void
  /**
   * All of it as it is at this moment, in pieces; what is applied later changes nothing of what they say. To begin is cheap,
   * since nothing else is applied meanwhile; the pieces are made as they are taken.
   */
  snapshot(): Iterable<string>
  /**
   * Becomes what it was when these pieces were made, whatever it is now.
   *
   * @throws OperationalError when they are not its own, such as those of a later version
   */
  restore(pieces: Iterable<string>): void
}
