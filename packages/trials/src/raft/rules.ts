/** What must hold at every step, whatever happens. Looked at from outside: by what members say, and by who believes to lead. */
import type { LogPosition, RaftMessage, RaftState } from '@rpi-cluster/core/raft'
import { BrokenRule } from '../simulated/broken-rule.ts'

/** All that the rules have to remember. */
export class Rules {
  readonly #majority: number
  readonly #logs: ReadonlyMap<string, LogPosition>
  readonly #leaders = new Map<number, string>()
  /** Who has voted for whom, by term. */
  readonly #votes = new Map<number, Map<string, string>>()
  /** The highest term that a member has ever said. */
  readonly #terms = new Map<string, number>()

  constructor(logs: ReadonlyMap<string, LogPosition>) {
    this.#logs = logs
    this.#majority = Math.floor(logs.size / 2) + 1
  }

  /** How many leaders there were. */
  get leaders(): number {
    return this.#leaders.size
  }

  /** A member has said something. */
  said(message: RaftMessage): void {
    const { from, to, term, type } = message
    this.#termIs(from, term)
    if (type === 'vote') this.#voted(from, from, term)
    if (type === 'vote_answer' && message.granted) this.#voted(from, to, term)
  }

  /** A member has started, from what it had saved. */
  started(member: string, term: number): void {
    this.#termIs(member, term)
  }

  /** A member leads, as it believes. */
  leads(member: string, { term }: RaftState): void {
    const other = this.#leaders.get(term)
    if (other === member) return
    if (other !== undefined)
      throw new BrokenRule(`one leader a term: ${other} and ${member} both lead term ${term}`)
    this.#leaders.set(term, member)
    const voters = [...(this.#votes.get(term) ?? [])].filter(([, candidate]) => candidate === member)
    // With one member there is nobody to say anything to.
    if (voters.length < this.#majority && this.#logs.size > 1)
      throw new BrokenRule(
        `a majority elects: ${member} leads term ${term} with the votes of ${voters.map(([voter]) => voter).join(', ')} alone`,
      )
  }

  #termIs(member: string, term: number): void {
    const before = this.#terms.get(member) ?? 0
    if (term < before)
      throw new BrokenRule(`terms never go back: ${member} was in term ${before}, and is in ${term}`)
    this.#terms.set(member, term)
  }

  #voted(voter: string, candidate: string, term: number): void {
    const votes = this.#votes.get(term) ?? new Map<string, string>()
    this.#votes.set(term, votes)
    const before = votes.get(voter)
    if (before === candidate) return
    if (before !== undefined)
      throw new BrokenRule(
        `one vote a term: ${voter} votes for ${before} and for ${candidate} in term ${term}`,
      )
    votes.set(voter, candidate)
    const [own, theirs] = [this.#logs.get(voter), this.#logs.get(candidate)]
    if (own && theirs && (theirs.term < own.term || (theirs.term === own.term && theirs.index < own.index)))
      throw new BrokenRule(`no vote for a log that lacks something: ${voter} votes for ${candidate}`)
  }
}
