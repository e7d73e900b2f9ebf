/** A member that is to be removed. What else there is to members, the simulation tries. */
import { expect, test } from 'vitest'
import {
  type LogEntry,
  type ReplicaInput,
  type ReplicaMessage,
  type ReplicaState,
  startReplica,
  stepReplica,
} from '../src/replica.ts'

const IDS = ['node-1~a', 'node-2~b'] as const
const [LEADER, OTHER] = IDS

test('who is to be removed gets that entry when it is committed, and not before', () => {
  const cluster = new Pair()
  cluster.step(LEADER, { kind: 'time' }, 1_500)
  cluster.settle(1_500)
  expect(cluster.stateOf(LEADER).raft.role).toBe('leader')

  // The disk of the leader, which alone is left, has it later.
  const removal = cluster.step(LEADER, { kind: 'members', members: [{ id: LEADER, isVoter: true }] }, 1_510)
  const [entry] = removal.append
  expect(entry?.kind).toBe('members')
  cluster.settle(1_520)
  cluster.step(LEADER, { kind: 'time' }, 1_700) // a heartbeat is due
  cluster.settle(1_700)
  expect(cluster.entriesOf(OTHER).map(({ kind }) => kind)).toEqual(['begin'])

  cluster.step(LEADER, { kind: 'durable', last: entry as LogEntry }, 1_710)
  cluster.step(LEADER, { kind: 'time' }, 1_900)
  cluster.settle(1_900)
  expect(cluster.stateOf(LEADER).commit).toBe(entry?.index)
  expect(cluster.entriesOf(OTHER).map(({ kind }) => kind)).toEqual(['begin', 'members'])
  expect(cluster.stateOf(OTHER).commit).toBe(entry?.index)
})

type Given = ReplicaInput extends infer Input
  ? Input extends unknown
    ? Omit<Input, 'now' | 'random'>
    : never
  : never

/** Two voters whose messages come at once, and whose disks have all at once but for what `step` gives back. */
class Pair {
  readonly #states = new Map<string, ReplicaState>()
  readonly #underWay: ReplicaMessage[] = []

  constructor() {
    const members = IDS.map((id) => ({ id, isVoter: true }))
    const snapshot = { last: { term: 0, index: 0 }, time: 0, members }
    for (const id of IDS) {
      const start = { number: 1, token: id, before: '' }
      const durable = { term: 0, votedFor: null, start, seen: {} }
      this.#states.set(
        id,
        startReplica(settingsOf(id), durable, { snapshot }, { now: 0, random: id === LEADER ? 0.5 : 0.9 }),
      )
    }
    for (const id of IDS) this.step(id, { kind: 'time' }, 10)
    this.settle(20)
  }

  stateOf(id: string): ReplicaState {
    return this.#states.get(id) as ReplicaState
  }

  entriesOf(id: string): LogEntry[] {
    const { log } = this.stateOf(id)
    return Array.from({ length: log.last.index }, (_, place) => log.at(place + 1) as LogEntry)
  }

  step(id: string, input: Given, now: number) {
    const step = stepReplica(settingsOf(id), this.stateOf(id), { ...input, now, random: 0.5 } as ReplicaInput)
    this.#states.set(id, step.state)
    this.#underWay.push(...step.messages)
    return step
  }

  /** Lets all that is said be heard, and all that comes of it. */
  settle(now: number): void {
    for (let count = 0; count < 1_000; count += 1) {
      const message = this.#underWay.shift()
      if (!message) return
      const { append } = this.step(message.to, { kind: 'message', message }, now)
      const last = append.at(-1)
      if (last) this.step(message.to, { kind: 'durable', last }, now)
    }
    throw new Error('It does not come to an end.')
  }
}

function settingsOf(id: string) {
  return { id, electionMs: 1_000, heartbeatMs: 100 }
}
