/**
 * What is told of an election: a line for each thing that a reader wants to see happen, and no other.
 *
 * @since 0.26.0
 */
import type { Logger } from './logging.ts'
import type { RaftSettings, RaftState } from './raft.ts'
import type { TakenStep } from './raft-driver.ts'

/** How long is waited until it is told who is reached, in ms: all of them start at the same time. */
const SETTLE_MS = 500

/** @internal */
export class ElectionLog {
  readonly #log: Logger
  readonly #settings: RaftSettings
  #reached = ''
  #timer: NodeJS.Timeout | undefined
  #isEnding = false

  constructor(log: Logger, settings: RaftSettings) {
    this.#log = log
    this.#settings = settings
  }

  /** Tells who is reached, when that has not changed for a moment. */
  reaches(all: readonly string[]): void {
    const names = this.#settings.members.filter((member) => all.includes(member))
    const reached = names.join(', ')
    if (reached === this.#reached || this.#isEnding) return
    this.#reached = reached
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#tellReached(names), SETTLE_MS)
  }

  /** Tells no more than to whom it hands over. */
  end(): void {
    this.#isEnding = true
    clearTimeout(this.#timer)
  }

  /** Tells what a step has changed. */
  took(step: TakenStep): void {
    const { before, after } = step
    const { id } = this.#settings
    const { term, votedFor, role, leader, handOver } = after
    const isNewTerm = term > before.term
    if (handOver && !before.handOver) this.#log.info(`Hands over to ${handOver.to}`)
    if (this.#isEnding) return
    if (before.role === 'leader' && (role !== 'leader' || isNewTerm))
      this.#log[before.handOver && isNewTerm ? 'info' : 'warn'](
        `Leads no more, in term ${before.term}: ${this.#whyNoMore(step)}`,
      )
    if (role === 'pre-candidate' && before.role !== role)
      this.#log.info(
        `${this.#whyAsks(before)}: asks whether the others would vote for it in term ${term + 1}`,
      )
    if (votedFor !== null && (isNewTerm || before.votedFor === null))
      this.#log.info(
        votedFor === id
          ? `Stands for election in term ${term}${after.isHandedOver ? ', as the leader wants it' : ''}, and votes for itself`
          : `Votes for ${votedFor} in term ${term}`,
      )
    if (role === 'leader' && before.role !== role)
      this.#log.info(`Leads in term ${term}, by the votes of ${votersOf(id, after).join(', ')}`)
    else if (leader !== null && leader !== id && (leader !== before.leader || isNewTerm))
      this.#log.info(`${leader} leads in term ${term}`)
  }

  #whyNoMore({ before, after, from, sinceLastMs }: TakenStep): string {
    const { electionMs } = this.#settings
    if (sinceLastMs >= electionMs)
      return `this process stood still for ${(sinceLastMs / 1_000).toFixed(1)} s, and the others may have another leader`
    if (after.term > before.term) return `${from} is in term ${after.term}`
    if (before.handOver) return `has handed over to ${before.handOver.to}, and heard nothing from there`
    return `no majority has answered for ${electionMs} ms`
  }

  #whyAsks(before: RaftState): string {
    if (before.role === 'candidate') return `Not elected in term ${before.term}`
    return before.leader === null ? 'Hears no leader' : `Hears nothing from ${before.leader}`
  }

  #tellReached(names: readonly string[]): void {
    const { id, members } = this.#settings
    const missing = members.filter((member) => member !== id && !names.includes(member))
    // One that was removed has no vote any more, and a new one has none yet.
    const isVoter = members.includes(id)
    const count = names.length + (isVoter ? 1 : 0)
    const enough = 2 * count > members.length
    const line = [
      `Reaches ${names.length > 0 ? names.join(', ') : 'no other member'}`,
      ...(missing.length > 0 ? [`, and not ${missing.join(', ')}`] : []),
      `: ${isVoter ? 'with itself ' : ''}${count} of ${members.length}, ${enough ? 'a majority' : 'no majority'}`,
      ...(isVoter ? [] : [', and has no vote itself']),
    ].join('')
    this.#log[enough ? 'info' : 'warn'](line)
  }
}

function votersOf(id: string, { answers }: RaftState): string[] {
  return [id, ...Object.keys(answers).filter((member) => answers[member])]
}
