/** What must hold at every step of members that keep a log together. Looked at from outside: by what they say, write, and apply. */
import type {
  LogEntry,
  LogMember,
  LogPosition,
  ReplicaMessage,
  ReplicaState,
} from '@rpi-cluster/core/replica'
import { BrokenRule } from '../simulated/broken-rule.ts'

interface Applied {
  readonly entry: LogEntry
  /** The state machine's hash when it was applied. */
  readonly hash: string
  /** The lowest term in which somebody has known it to be committed. */
  committedIn: number
}

/** An entry as it was made, and what stood before it. */
interface Made {
  readonly entry: LogEntry
  readonly before: LogPosition
}

export class LogRules {
  /** What was applied, by number: the first who does so says what it is. */
  readonly #applied: Applied[] = []
  readonly #made = new Map<string, Made>()
  readonly #leaders = new Map<number, string>()
  /** Who has voted for whom, by term. */
  readonly #votes = new Map<number, Map<string, string>>()
  /** The highest term that a member has ever said. */
  readonly #terms = new Map<string, number>()
  #members: readonly LogMember[]

  constructor(founding: readonly LogMember[]) {
    this.#members = founding
  }

  /** How many leaders there were. */
  get leaders(): number {
    return this.#leaders.size
  }

  /** How many entries were applied. */
  get entries(): number {
    return this.#applied.length
  }

  /** Who the members are, by what is committed. */
  get members(): readonly LogMember[] {
    return this.#members
  }

  /** A member has said something. */
  said(message: ReplicaMessage, state: ReplicaState): void {
    const { from, to, term, type } = message
    this.termIs(from, term)
    if (type === 'vote') this.#voted(from, from, term)
    if (type === 'vote_answer' && message.granted) this.#voted(from, to, term)
    if (type === 'read_answer') this.mayRead(from, state, message.index)
  }

  /** A member has started, or said something, in a term. */
  termIs(member: string, term: number): void {
    const before = this.#terms.get(member) ?? 0
    if (term < before)
      throw new BrokenRule(`terms never go back: ${member} was in term ${before}, and is in ${term}`)
    this.#terms.set(member, term)
  }

  /** What a member was before its card was put back does not count. */
  forgets(member: string): void {
    this.#terms.delete(member)
  }

  #voted(voter: string, candidate: string, term: number): void {
    const votes = this.#votes.get(term) ?? new Map<string, string>()
    this.#votes.set(term, votes)
    const before = votes.get(voter)
    if (before !== undefined && before !== candidate)
      throw new BrokenRule(
        `one vote a term: ${voter} votes for ${before} and for ${candidate} in term ${term}`,
      )
    votes.set(voter, candidate)
  }

  /** A member leads, as it believes, with these as its voters. */
  leads(member: string, { raft: { term }, log }: ReplicaState, voters: readonly string[]): void {
    const other = this.#leaders.get(term)
    if (other === member) return
    if (other !== undefined)
      throw new BrokenRule(`one leader a term: ${other} and ${member} both lead term ${term}`)
    this.#leaders.set(term, member)
    const elected = voters.filter((voter) => this.#votes.get(term)?.get(voter) === member)
    // With one voter there is nobody to say anything to.
    if (elected.length <= voters.length / 2 && voters.length > 1)
      throw new BrokenRule(
        `a majority of the voters elects: ${member} leads term ${term} with the votes of ${elected.join(', ') || 'nobody'} alone, among ${voters.join(', ')}`,
      )
    for (const { entry, committedIn } of this.#applied) {
      if (committedIn >= term || entry.index <= log.base.index) continue
      if (log.termAt(entry.index) !== entry.term)
        throw new BrokenRule(
          `a leader has all that was committed: ${member} leads term ${term} without entry ${entry.index} of term ${entry.term}`,
        )
    }
  }

  /** A member writes entries into its log. */
  writes(member: string, before: ReplicaState, state: ReplicaState, entries: readonly LogEntry[]): void {
    const [first] = entries
    if (!first) return
    if (first.index <= before.commit)
      throw new BrokenRule(`what is committed stays: ${member} writes another entry ${first.index}`)
    let last = this.#before(state, first)
    for (const entry of entries) {
      const key = `${entry.term}/${entry.index}`
      const made = this.#made.get(key)
      if (!made) {
        this.#make(member, before, state, entry, last)
        this.#made.set(key, { entry, before: { term: last.term, index: entry.index - 1 } })
      } else if (made.before.term !== last.term || !isSame(made.entry, entry))
        throw new BrokenRule(
          `logs that have an entry in common have all before it in common: ${member} writes entry ${entry.index} of term ${entry.term}, and another one has something else`,
        )
      if (entry.time < last.time)
        throw new BrokenRule(
          `times never go back: entry ${entry.index} is of ${entry.time}, and the one before of ${last.time}`,
        )
      last = entry
    }
  }

  /** Entries of a leader that nobody has, nor will: its term was not saved yet, and so it has said nothing to anybody. */
  neverWere(entries: readonly LogEntry[]): void {
    for (const { term, index } of entries) this.#made.delete(`${term}/${index}`)
  }

  /** What stands before an entry. The time of one that is in a snapshot is not known to everybody. */
  #before({ log, snapshot }: ReplicaState, { index }: LogEntry): { term: number; time: number } {
    const entry = log.at(index - 1)
    if (entry) return entry
    const time = snapshot.last.index === index - 1 ? snapshot.time : 0
    return { term: log.termAt(index - 1) ?? -1, time }
  }

  /** An entry that there has not been before. */
  #make(
    member: string,
    before: ReplicaState,
    { raft, members }: ReplicaState,
    entry: LogEntry,
    last: { term: number },
  ): void {
    if (raft.role !== 'leader' || raft.term !== entry.term)
      throw new BrokenRule(
        `only a leader makes entries: ${member} has entry ${entry.index} of term ${entry.term}, which nobody has made`,
      )
    if (last.term > entry.term)
      throw new BrokenRule(`terms of entries never go back: entry ${entry.index} of ${member}`)
    if (entry.kind !== 'members') return
    if (before.log.termAt(before.commit) !== entry.term)
      throw new BrokenRule(
        `no change of members before an entry of the leader's own term is committed: ${member} makes entry ${entry.index}`,
      )
    const then = members.at(-2)
    if (then && then.index > before.commit)
      throw new BrokenRule(
        `one change of members at a time: ${member} makes entry ${entry.index}, and ${then.index} is not committed`,
      )
    const [old, young] = [votersIn(then?.members ?? []), votersIn(members.at(-1)?.members ?? [])]
    const changed = [...old.filter((id) => !young.includes(id)), ...young.filter((id) => !old.includes(id))]
    if (changed.length > 1)
      throw new BrokenRule(
        `one voter comes or goes at a time: ${member} makes entry ${entry.index}, of ${changed.join(', ')}`,
      )
  }

  /** A member knows, from now on, that more is committed. */
  commits(member: string, before: ReplicaState, state: ReplicaState, hasStored: HasStored): void {
    if (state.commit < before.commit)
      throw new BrokenRule(
        `what is committed stays: ${member} knew of ${before.commit}, and knows of ${state.commit}`,
      )
    const { role, term } = state.raft
    if (state.commit === before.commit || role !== 'leader' || before.raft.role !== 'leader') return
    if (state.log.termAt(state.commit) !== term)
      throw new BrokenRule(
        `a leader commits what is of its own term: ${member}, of term ${term}, commits entry ${state.commit} of term ${state.log.termAt(state.commit)}`,
      )
    const voters = votersIn(state.members.at(-1)?.members ?? [])
    const having = voters.filter((id) => hasStored(id, term, state.commit))
    if (having.length <= voters.length / 2)
      throw new BrokenRule(
        `what is committed is on the disks of a majority: entry ${state.commit} of ${member} is on that of ${having.join(', ') || 'nobody'}, among ${voters.join(', ')}`,
      )
  }

  /** A member has applied an entry, and its state machine has this hash now. */
  applies(member: string, applied: number, entry: LogEntry, hash: string, term: number): void {
    if (entry.index !== applied + 1)
      throw new BrokenRule(`no entry is left out: ${member} applies ${entry.index} after ${applied}`)
    const known = this.#applied[entry.index - 1]
    if (!known) {
      if (entry.index !== this.#applied.length + 1)
        throw new BrokenRule(
          `no entry is left out: ${member} applies ${entry.index}, and nobody the one before`,
        )
      this.#applied.push({ entry, hash, committedIn: term })
      if (entry.kind === 'members') this.#members = JSON.parse(entry.data) as LogMember[]
      return
    }
    known.committedIn = Math.min(known.committedIn, term)
    if (!isSame(known.entry, entry))
      throw new BrokenRule(
        `all apply the same: ${member} applies another entry ${entry.index}, of term ${entry.term}`,
      )
    if (known.hash !== hash)
      throw new BrokenRule(`all come to the same: ${member} has something else after entry ${entry.index}`)
  }

  /** A member has got a snapshot in place of its log. */
  installs(member: string, before: ReplicaState, { last, members, time }: SnapshotHead, hash: string): void {
    if (last.index <= before.commit)
      throw new BrokenRule(`what is committed stays: ${member} goes back to a snapshot of ${last.index}`)
    this.snapshotIs(member, { last, members, time }, hash)
  }

  /** A member has a snapshot. */
  snapshotIs(member: string, { last, members, time }: SnapshotHead, hash: string): void {
    const known = this.#applied[last.index - 1]
    if (known?.entry.term !== last.term || known.hash !== hash || known.entry.time !== time)
      throw new BrokenRule(
        `a snapshot is what came of the log: ${member} has another one of entry ${last.index}`,
      )
    const then = this.#applied.slice(0, last.index).findLast(({ entry }) => entry.kind === 'members')
    if (then && then.entry.data !== JSON.stringify(members))
      throw new BrokenRule(`a snapshot has the members: ${member} has others after entry ${last.index}`)
  }

  /** A leader says that all up to an entry is what must be applied to read. */
  mayRead(member: string, { commit, log, raft }: ReplicaState, index: number): void {
    if (log.termAt(commit) !== raft.term && commit > log.base.index)
      throw new BrokenRule(
        `nothing is read before an entry of the leader's own term is committed: ${member} lets read up to ${index}`,
      )
  }

  /** A client was told of what came of an entry: that it is applied somewhere is enough. */
  acknowledged(index: number): void {
    if (index > this.#applied.length)
      throw new BrokenRule(`what is acknowledged is committed: entry ${index} is not`)
  }
}

/** Whether an entry is on the disk of a member. */
export type HasStored = (id: string, term: number, index: number) => boolean

interface SnapshotHead {
  readonly last: LogPosition
  readonly members: readonly LogMember[]
  readonly time: number
}

function votersIn(members: readonly LogMember[]): string[] {
  return members.flatMap(({ id, isVoter }) => (isVoter ? [id] : []))
}

function isSame(one: LogEntry, other: LogEntry): boolean {
  return (
    one === other ||
    (one.index === other.index &&
      one.term === other.term &&
      one.time === other.time &&
      one.kind === other.kind &&
      one.data === other.data)
  )
}
