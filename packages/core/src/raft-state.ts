/**
 * What a member of a cluster knows about who leads: a value of plain data, and when it is made anew, after a start.
 *
 * @since 0.26.0
 */

/** What all members have to agree on before they agree on anything else. */
export interface RaftSettings {
  /** The name of this member. */
  readonly id: string
  /** The names of all members, this one among them. */
  readonly members: readonly string[]
  /** Who else is heard. Default: nobody. Who is no member has no vote, and may yet lead: this one may not know the newest members. */
  readonly hears?: readonly string[]
  /**
   * How long a member waits for a leader before it stands for election, in ms: a time between this and twice this, each time
   * another one. It should be ten times what a message there and back and an `fsync` take, or more (§5.6). The same for all
   * members.
   */
  readonly electionMs: number
  /** How often a leader says that it leads, in ms. Less than half of `electionMs`, so that one may be lost. */
  readonly heartbeatMs: number
}

/** What must survive a crash (Figure 2, "Persistent state"): with it lost, a member could vote twice in one term. */
export interface Durable {
  /** The newest term that it has heard of: 0 before the first. */
  readonly term: number
  /** Whom it has voted for in that term. */
  readonly votedFor: string | null
}

/**
 * What a member is: a follower listens to a leader. One that hears none asks the others whether they would vote for it
 * (pre-candidate), and if a majority would, has them vote (candidate). Who gets the votes of a majority leads.
 */
export type RaftRole = 'follower' | 'pre-candidate' | 'candidate' | 'leader'

/** A place in the log: an entry's number, and the term in which a leader made it. Both are 0 before the first. */
export interface LogPosition {
  readonly term: number
  readonly index: number
}

/** The newest heartbeat that a member has answered its leader. Times of the leader's clock, in ms. */
export interface Contact {
  /** When that heartbeat was sent. */
  readonly askedAt: number
  /** When the answer came. */
  readonly answeredAt: number
}

/** All that a member knows. Plain data, and never changed: a step makes a new one. Times are those of its own clock, in ms. */
export interface RaftState extends Durable {
  readonly role: RaftRole
  /** Who leads in this term, as far as it knows. */
  readonly leader: string | null
  /** The last entry of its log. */
  readonly lastEntry: LogPosition
  /** When it last heard from a leader: for `electionMs` from then it gives nobody else its vote. */
  readonly heardAt: number
  /** When it stands for election, if it hears nothing before. */
  readonly electionAt: number
  /** When it next says that it leads, or asks again for the votes that are missing. */
  readonly sendAt: number
  /** What the others have answered in this round of votes. */
  readonly answers: Readonly<Record<string, boolean>>
  /** Whether it stands for election because the leader has asked it to. */
  readonly isHandedOver: boolean
  /** When it began to lead. */
  readonly leadsSince: number
  /** Who has answered it since then. */
  readonly contacts: Readonly<Record<string, Contact>>
  /** To whom it hands its lead over, and when it gives that up. */
  readonly handOver: { readonly to: string; readonly until: number } | null
}

/**
 * How a member begins, also after a crash: as a follower. It may have promised a leader, just before it crashed, to vote for
 * nobody else for a while, and does not remember. So it does as if it had heard from one at this moment.
 *
 * @param durable what it had saved: term 0 and no vote when it never ran before
 * @param at the time of its clock, in ms, and a random number from 0 to 1
 * @throws RangeError when the settings cannot be right: it is not among the members, one is there twice, or there is no time
 *   for two heartbeats before an election
 */
export function startRaft(
  settings: RaftSettings,
  { term, votedFor }: Durable,
  { now, random }: { readonly now: number; readonly random: number },
): RaftState {
  check(settings)
  return {
    term,
    votedFor,
    role: 'follower',
    leader: null,
    lastEntry: { term: 0, index: 0 },
    heardAt: now,
    electionAt: timeOut(settings, now, random),
    sendAt: now,
    answers: {},
    isHandedOver: false,
    leadsSince: now,
    contacts: {},
    handOver: null,
  }
}

/**
 * How many members are more than half. Any two majorities have a member in common, and all of Raft rests on that: 3 of 5, and
 * 3 of 4 as well, which is why a fourth member helps nobody (§5.2).
 *
 * @internal
 */
export function majorityOf({ members }: RaftSettings): number {
  return Math.floor(members.length / 2) + 1
}

/**
 * When a wait that begins now is over. Each member draws another time, so that mostly one of them is first, and has the votes
 * before the next one wakes (§5.2, §9.3).
 *
 * @internal
 */
export function timeOut({ electionMs }: RaftSettings, now: number, random: number): number {
  return now + electionMs * (1 + random)
}

/** @internal */
export function othersOf({ id, members }: RaftSettings): string[] {
  return members.filter((member) => member !== id)
}

function check({ id, members, electionMs, heartbeatMs }: RaftSettings): void {
  if (!members.includes(id)) throw new RangeError(`${id} is not among the members ${members.join(', ')}.`)
  if (new Set(members).size < members.length)
    throw new RangeError(`A member is there twice: ${members.join(', ')}.`)
  if (!(heartbeatMs > 0 && 2 * heartbeatMs < electionMs))
    throw new RangeError(
      `An election after ${electionMs} ms leaves no room for two heartbeats, one each ${heartbeatMs} ms.`,
    )
}
