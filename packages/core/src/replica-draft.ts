/**
 * A step of a member while it is made: what it knows by now, and what comes of it.
 *
 * @since 0.27.0
 */
import { EntryLog, type LogEntry } from './entry-log.ts'
import { type LogWords, type ReplicaMessage, sayOf } from './replica-messages.ts'
import {
  type LogSnapshot,
  membersIn,
  positionOf,
  type ReplicaSettings,
  type ReplicaState,
} from './replica-state.ts'

/** @internal */
export class Draft {
  readonly settings: ReplicaSettings
  /** In ms, of a clock that never goes back. */
  readonly now: number
  state: ReplicaState
  readonly messages: ReplicaMessage[] = []
  readonly appended: LogEntry[] = []
  installed: LogSnapshot | undefined
  readonly reads: { id: number; index: number }[] = []

  constructor(settings: ReplicaSettings, state: ReplicaState, now: number) {
    this.settings = settings
    this.state = state
    this.now = now
  }

  know(news: Partial<ReplicaState>): void {
    this.state = { ...this.state, ...news }
  }

  say(to: string, words: LogWords): void {
    this.messages.push(sayOf(this.settings.id, this.state, to, words))
  }

  /** Has entries in the log, in place of all that stands there from the first of them on. */
  write(entries: readonly LogEntry[]): void {
    const [first] = entries
    if (!first) return
    const { log, members, durable, matched } = this.state
    const kept = first.index - 1
    const written = log.cutAfter(kept).add(entries)
    this.know({
      log: written,
      durable: Math.min(durable, kept),
      matched: Math.min(matched, kept),
      // Who the members are is taken back with the entry that has said so (§6).
      members: [...members.filter(({ index }) => index <= kept), ...membersIn(entries)],
      raft: { ...this.state.raft, lastEntry: positionOf(written.last) },
    })
    this.appended.push(...entries)
  }

  /** Has a snapshot in place of all that it has. */
  install(snapshot: LogSnapshot): void {
    const { last, time, members } = snapshot
    this.know({
      log: EntryLog.after(last),
      snapshot: { last, time, members },
      members: [{ index: last.index, members }],
      durable: 0,
      matched: last.index,
      commit: last.index,
      raft: { ...this.state.raft, lastEntry: positionOf(last) },
    })
    this.appended.length = 0
    this.installed = snapshot
  }
}
