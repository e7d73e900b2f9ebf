/** What a member has done in a step, in a line for people. */
import type { ReplicaMessage, ReplicaState, ReplicaStep } from '@rpi-cluster/core/replica'

/** What is said again and again is not told. */
const UNTOLD = new Set(['heartbeat', 'heartbeat_answer', 'start', 'start_answer'])

/** What a step has changed, and what is said. */
export function toldOfStep(before: ReplicaState, step: ReplicaStep): string[] {
  const { state, save, append, install, messages, reads } = step
  const told: string[] = []
  const { raft } = state
  if (raft.role !== before.raft.role || raft.term !== before.raft.term)
    told.push(`${raft.role} in term ${raft.term}`)
  if (raft.leader !== before.raft.leader && raft.role === 'follower')
    told.push(raft.leader === null ? 'knows no leader' : `follows ${raft.leader}`)
  if (state.older !== null && before.older === null)
    told.push(`is told by ${state.older} that its store is older than it was`)
  if (save && (raft.term !== before.raft.term || raft.votedFor !== before.raft.votedFor))
    told.push(`saves term ${save.term}, ${save.votedFor === null ? 'no vote' : `vote for ${save.votedFor}`}`)
  if (install) told.push(`installs the snapshot of ${toldOf(install.last)}`)
  const [first, last] = [append[0], append.at(-1)]
  if (first && last)
    told.push(
      `writes ${first === last ? toldOf(first) : `${toldOf(first)} to ${toldOf(last)}`}${
        append.some(({ kind }) => kind === 'members')
          ? `, and so ${state.members
              .at(-1)
              ?.members.map(({ id, isVoter }) => (isVoter ? id : `(${id})`))
              .join(', ')} are members`
          : ''
      }`,
    )
  if (state.durable !== before.durable) told.push(`has ${state.durable} on its disk`)
  if (state.commit !== before.commit) told.push(`knows that ${state.commit} is committed`)
  for (const { id, index } of reads) told.push(`read ${id} may be from ${index} on`)
  const said = new Map<string, string[]>()
  for (const message of messages) {
    if (UNTOLD.has(message.type)) continue
    const words = toldOfMessage(message)
    said.set(words, [...(said.get(words) ?? []), message.to])
  }
  for (const [words, to] of said) told.push(`${words} to ${to.join(', ')}`)
  return told
}

/** An entry, as term/number. */
function toldOf({ term, index }: { term: number; index: number }): string {
  return `${term}/${index}`
}

function toldOfMessage(message: ReplicaMessage): string {
  switch (message.type) {
    case 'append':
      return `append ${message.entries.length} behind ${toldOf(message.before)}`
    case 'append_answer':
      return `has the log up to ${message.match}`
    case 'mismatch':
      return `mismatch at ${message.before}, hint ${toldOf(message.hint)}`
    case 'snapshot':
      return `snapshot of ${toldOf(message.snapshot.last)}`
    case 'vote':
    case 'pre_vote':
      return `${message.type} with log up to ${toldOf(message.lastEntry)}`
    default:
      return 'granted' in message ? `${message.type} ${message.granted ? 'yes' : 'no'}` : message.type
  }
}
