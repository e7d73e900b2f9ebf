/** What two say to each other of which neither knows the other as a member. What else there is to starts, the simulation tries. */

import * as v from 'valibot'
import { expect, test } from 'vitest'
import { type ReplicaMessage, replicaMessage, startReplica, stepReplica } from '../src/replica.ts'

test('two that do not know each other ask each other, and then are silent', () => {
  const members = new Map(
    ['node-1~a', 'node-4~b'].map((id) => {
      const settings = { id, electionMs: 1_000, heartbeatMs: 100 }
      const durable = {
        term: 1,
        votedFor: null,
        start: { number: 1, token: `first of ${id}`, before: '' },
        seen: {},
      }
      const others = ['node-2~a', 'node-3~a'].map((other) => ({ id: other, isVoter: true }))
      const snapshot = {
        last: { term: 1, index: 8 },
        time: 0,
        members: [{ id, isVoter: true }, ...others],
      }
      const state = startReplica(settings, durable, { snapshot }, { now: 0, random: 0.5 })
      return [id, { settings, state }]
    }),
  )
  const heartbeat = { from: 'node-1~a', to: 'node-4~b', term: 1, type: 'heartbeat', at: 0 } as const
  const underWay: ReplicaMessage[] = [heartbeat]
  const said: string[] = []
  for (let message = underWay.shift(); message && said.length < 100; message = underWay.shift()) {
    const member = members.get(message.to)
    if (!member) continue
    expect(v.parse(replicaMessage, JSON.parse(JSON.stringify(message)))).toEqual(message)
    said.push(`${message.from} says ${message.type} to ${message.to}`)
    const step = stepReplica(member.settings, member.state, { kind: 'message', message, now: 1, random: 0.5 })
    member.state = step.state
    underWay.push(...step.messages)
  }
  expect(said).toEqual([
    'node-1~a says heartbeat to node-4~b',
    'node-4~b says heartbeat_answer to node-1~a',
    'node-4~b says start to node-1~a',
    'node-1~a says start to node-4~b',
    'node-1~a says start to node-4~b',
    'node-4~b says start to node-1~a',
  ])
})
