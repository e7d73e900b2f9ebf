/**
 * What a chapter promises from the moment on that a program waits for the one that it connects to: whatever goes wrong
 * with a line, both ends tell it, and when it is over the program is back, under its own name. A chapter's tests call
 * this once.
 */
import { expect, vi } from 'vitest'
import type { Link } from '../faults/link.ts'
import { HarnessError, type Running, test } from './harness.ts'

/** Long enough for some silences and the pauses after them, by the fast clock, on a busy machine. */
const PATIENCE = { timeout: 30_000, interval: 50 }

/** A fault, and what each end tells of the connection that it has ended. `NAME` is who has connected. */
interface FaultOfLine {
  make: (link: Link) => void
  /** What who has connected tells. */
  own?: RegExp
  /** What who listens tells. */
  peers?: string
}

const RESET = 'Lost the connection to NAME at \\S+: the other end reset it\\.'
const SILENCE = 'Nothing came from NAME at \\S+ for 15 s'
const LEFT = 'NAME has left'
const OWN_RESET = /^Lost the connection to the .*: the other end reset it\.$/m
const OWN_SILENCE = /^Nothing came from the \S+ at \S+ for 15 s/m

const FAULTS: Record<string, FaultOfLine> = {
  'cut by a reset': { make: (link) => link.cut('reset'), own: OWN_RESET, peers: RESET },
  'cut in order': {
    make: (link) => link.cut('end'),
    own: /^Lost the connection to the .*: the other end closed it\.$/m,
    peers: LEFT,
  },
  'dead to the server': {
    make: (link) => link.set({ toServer: { blackHole: true } }),
    own: /^(Lost the connection to|Nothing came from) the /m,
    peers: SILENCE,
  },
  'dead to the client': {
    make: (link) => link.set({ toClient: { blackHole: true } }),
    own: OWN_SILENCE,
    peers: LEFT,
  },
  'a pulled cable': {
    make: (link) => link.set({ toServer: { blackHole: true }, toClient: { blackHole: true } }),
    own: OWN_SILENCE,
    peers: SILENCE,
  },
  'the client is gone': { make: (link) => link.halfOpen('client'), own: OWN_RESET, peers: SILENCE },
  'the server is gone': { make: (link) => link.halfOpen('server'), own: OWN_SILENCE, peers: RESET },
  // Three seconds of the fast clock, there and back.
  'all is late': { make: (link) => link.set({ toServer: { delayMs: 150 }, toClient: { delayMs: 150 } }) },
  'all trickles': {
    // Slower than questions come: each waits longer than the one before.
    make: (link) => link.set({ toServer: { bytesPerSecond: 80 }, toClient: { bytesPerSecond: 400 } }),
  },
}

/** How many answers come over a bad line before it is mended. */
const ANSWERS = 4

/** Makes the test. */
export function everyFaultIsHealed(): void {
  test('whatever befalls a line, both ends tell it, and afterwards all are back under their names', async ({
    chapter,
  }) => {
    const connecting = chapter.chapter.programs.find(({ connectsTo }) => connectsTo !== undefined)
    if (!connecting?.connectsTo) throw new HarnessError('No program of this chapter connects to another one')
    const peer = await chapter.run(connecting.connectsTo)
    const lines = await Promise.all(
      Object.entries(FAULTS).map(async ([title, fault]) => {
        const link = await chapter.link()
        return { title, fault, link, running: await chapter.run(connecting.name, { through: link }) }
      }),
    )

    await Promise.all(
      lines.map(async ({ title, fault: { make, own, peers }, link, running }) => {
        await hasAnswers(running, 1)
        const name = nameOf(running, peer)
        make(link)
        if (own) await vi.waitFor(() => expect(textOf(running), title).toMatch(own), PATIENCE)
        else await hasAnswers(running, answersOf(running) + ANSWERS)
        const told = new RegExp(`^${peers?.replace('NAME', name)}`, 'm')
        if (peers) await vi.waitFor(() => expect(textOf(peer), title).toMatch(told), PATIENCE)
        link.heal()
      }),
    )

    for (const { title, fault, running } of lines) {
      const connections = () => countOf(running, /^Connected to /)
      const losses = () => countOf(running, /^(Lost the connection|Nothing came)/)
      await vi.waitFor(() => expect(connections(), title).toBe(losses() + 1), PATIENCE)
      await hasAnswers(running, answersOf(running) + 2)
      if (fault.own) continue
      expect(connections(), `${title}:\n${textOf(running)}`).toBe(1)
      // Nothing was lost: each question that has come has its answer.
      const asked = new RegExp(`^${nameOf(running, peer)} wants to know`)
      await vi.waitFor(() => expect(answersOf(running), title).toBe(countOf(peer, asked)), PATIENCE)
    }
    await vi.waitFor(
      () => expect(namesHere(peer)).toEqual(lines.map(({ running }) => nameOf(running, peer)).sort()),
      PATIENCE,
    )

    for (const { running } of lines) await running.stop()
    await peer.stop()
    expect(lines.map(({ running }) => running.exitCode)).toEqual(lines.map(() => 0))
    const stray = [peer, ...lines.map(({ running }) => running)].flatMap(({ lines }) =>
      lines.filter((line) => !/\] (INFO|WARN) \(\w+\): /.test(line)),
    )
    expect(stray).toEqual([])
  })
}

const textOf = (running: Running) => running.messages.join('\n')

const countOf = (running: Running, pattern: RegExp) =>
  running.messages.filter((line) => pattern.test(line)).length

const answersOf = (running: Running) => countOf(running, /^We have information/)

async function hasAnswers(running: Running, count: number): Promise<void> {
  await vi.waitFor(() => expect(answersOf(running)).toBeGreaterThanOrEqual(count), PATIENCE)
}

/** What the one that listens calls the other: its host and its number. */
function nameOf(running: Running, peer: Running): string {
  const [, number] = /as client (\d+)/.exec(textOf(running)) ?? []
  return new RegExp(`^(\\S+ #${number}) has joined`, 'm').exec(textOf(peer))?.[1] ?? `#${number}`
}

/** The names of the last table, each as often as it stands there. */
function namesHere(peer: Running): string[] {
  const [table = ''] = /(?<=Here now: \d+\n)(?![\s\S]*Here now)[\s\S]*/.exec(textOf(peer)) ?? []
  return [...table.matchAll(/^- (.*?) {2,}since/gm)].map(([, name = '']) => name).sort()
}
