/** What a member has done in a step, in a line for people. */
import type { RaftInput, RaftMessage, RaftState, RaftStep } from '../src/raft.ts'

/** A message, with what matters in it. */
function toldOfMessage(message: RaftMessage): string {
  if (message.type === 'vote') return message.handedOver ? 'vote, handed over,' : 'vote'
  return 'granted' in message ? `${message.type} ${message.granted ? 'yes' : 'no'}` : message.type
}

/** What a step has changed, and what is said. Heartbeats that only go on are not told, nor what is only said again. */
export function toldOf(before: RaftState, input: RaftInput, { state, save, messages }: RaftStep): string[] {
  const told: string[] = []
  if (state.role !== before.role || state.term !== before.term)
    told.push(`${state.role} in term ${state.term}`)
  if (state.leader !== before.leader && state.role === 'follower')
    told.push(state.leader === null ? 'knows no leader' : `follows ${state.leader}`)
  if (save)
    told.push(`saves term ${save.term}, ${save.votedFor === null ? 'no vote' : `vote for ${save.votedFor}`}`)
  const isSaidAgain = before.role === state.role && before.electionAt === state.electionAt
  const isOlder = input.kind === 'message' && input.message.term < state.term
  const said = new Map<string, string[]>()
  for (const message of messages) {
    if (message.type === 'heartbeat' || (message.type === 'heartbeat_answer' && !isOlder)) continue
    if ((message.type === 'vote' || message.type === 'pre_vote') && isSaidAgain) continue
    const words = toldOfMessage(message)
    said.set(words, [...(said.get(words) ?? []), message.to])
  }
  for (const [words, to] of said) told.push(`${words} to ${to.join(', ')}`)
  return told
}
