/**
 * Raft's election, scene by scene, as the stories in `raft/*.txt` tell it. `RAFT_REWRITE=1` writes down what is told now: read
 * the difference before you believe it. What chance finds is `simulate` in packages/trials.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { raftMessage, startRaft, stepRaft } from '../src/raft.ts'
import { Scenario, scenesOf } from './raft-scenario.ts'

const STORIES = join(import.meta.dirname, 'raft')
const SETTINGS = {
  id: 'node-1',
  members: ['node-1', 'node-2', 'node-3'],
  electionMs: 1_000,
  heartbeatMs: 100,
}
const NEVER_RAN = { term: 0, votedFor: null }

test.each(readdirSync(STORIES))('%s', (file) => {
  const path = join(STORIES, file)
  const text = readFileSync(path, 'utf8')
  const scenario = new Scenario()
  const played = scenesOf(text).map(
    ({ before, command }) => `${before}${command}\n----\n${scenario.do(command)}`,
  )
  expect(played.length, 'there are scenes').toBeGreaterThan(2)
  if (process.env['RAFT_REWRITE']) writeFileSync(path, played.join(''))
  expect(played.join('')).toBe(readFileSync(path, 'utf8'))
})

describe('a step', () => {
  const state = startRaft(SETTINGS, NEVER_RAN, { now: 0, random: 0 })

  test('changes nothing that goes into it, and its state is plain data', () => {
    const frozen = Object.freeze(structuredClone(state))
    const step = stepRaft(SETTINGS, frozen, { kind: 'time', now: 1_000, random: 0.5 })
    expect(step.state.role).toBe('pre-candidate')
    expect(frozen).toEqual(state)
    expect(JSON.parse(JSON.stringify(step.state))).toEqual(step.state)
  })

  test.each([
    ['from a stranger', { from: 'node-9', to: 'node-1' }],
    ['to another member', { from: 'node-2', to: 'node-3' }],
    ['from itself', { from: 'node-1', to: 'node-1' }],
  ])('does not hear a message %s', (_, ends) => {
    const message = { ...ends, term: 7, type: 'heartbeat', at: 0 } as const
    expect(stepRaft(SETTINGS, state, { kind: 'message', message, now: 1, random: 0 })).toEqual({
      state,
      messages: [],
    })
  })
})

test.each([
  [{ id: 'node-9' }, 'node-9 is not among the members node-1, node-2, node-3.'],
  [{ members: ['node-1', 'node-1'] }, 'A member is there twice: node-1, node-1.'],
  [{ heartbeatMs: 500 }, 'An election after 1000 ms leaves no room for two heartbeats, one each 500 ms.'],
])('settings that cannot be right are refused: %j', (wrong, message) => {
  expect(() => startRaft({ ...SETTINGS, ...wrong }, NEVER_RAN, { now: 0, random: 0 })).toThrow(
    new RangeError(message),
  )
})

test.each([
  ['a name that is too long', { from: 'n'.repeat(101) }],
  ['a term that is no whole number', { term: 1.5 }],
  ['a term below zero', { term: -1 }],
  ['a term that JavaScript cannot count on from', { term: 2 ** 53 }],
  ['a type that there is not', { type: 'coup' }],
  ['a time that is none', { at: 'now' }],
])('a message with %s is none', (_, wrong) => {
  const message = { from: 'node-1', to: 'node-2', term: 3, type: 'heartbeat', at: 17 }
  expect(v.is(raftMessage, message)).toBe(true)
  expect(v.is(raftMessage, { ...message, ...wrong })).toBe(false)
})
