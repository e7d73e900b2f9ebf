/** What the programs of a trial of tasks have noted, held against what must be. */
import type { Note } from './tasks/src/notes.ts'
import { resultOf } from './tasks/src/result.ts'

/** How much later than the primary has noted a loss that may be, in ms: two processes read one clock, to the ms. */
const CLOCK_MS = 2

/** How much of what is wrong is shown. */
const MOST_SHOWN = 5

export interface Counts {
  /** How often a node was lost. */
  lost: number
  /** How many tasks were handed to a node after another one had them. */
  again: number
  /** How many were done more than once. */
  twice: number
  /** How many have failed as poison, and were tried again. */
  poison: number
}

type Kind<What extends Note['what']> = Extract<Note, { what: What }>

/** All that was noted of one task, in the order in which it was noted. */
class Story {
  readonly effects: Kind<'effect'>[] = []
  readonly returned = new Set<number>()
  readonly ends: Kind<'end'>[] = []
  /** By their leases: what several nodes were handed, the oldest first. */
  readonly #handed = new Map<number, Kind<'handed'>>()

  take(note: Kind<'effect' | 'returned' | 'end' | 'handed'>): void {
    if (note.what === 'effect') this.effects.push(note)
    else if (note.what === 'end') this.ends.push(note)
    else if (note.what === 'returned') this.returned.add(note.lease)
    else this.#handed.set(note.lease, note)
  }

  get handed(): Kind<'handed'>[] {
    return [...this.#handed.values()].sort((one, other) => one.lease - other.lease)
  }

  /** What each node was handed and has not given back. */
  get kept(): Kind<'handed'>[] {
    return this.handed.filter(({ lease }) => !this.returned.has(lease))
  }
}

/**
 * What is not as it must be: each task is told once, and done, with the right result; it was done as often as nodes had it at
 * most, and another node had it only since the one before was lost with it.
 */
export function whatIsWrong(notes: readonly Note[], tasks: number): string[] {
  const stories = storiesOf(notes)
  const losses = notes.filter((note): note is Kind<'lost'> => note.what === 'lost')
  const wrong = Array.from({ length: tasks }, (_, number) => {
    const story = stories.get(String(number)) ?? new Story()
    return wrongIn(story, number, losses).map(
      (what) => `Task ${number} ${what}: ${JSON.stringify([...story.handed, ...story.effects])}`,
    )
  }).flat()
  return wrong.length > MOST_SHOWN
    ? [...wrong.slice(0, MOST_SHOWN), `and ${wrong.length - MOST_SHOWN} more`]
    : wrong
}

export function countsOf(notes: readonly Note[]): Counts {
  const stories = [...storiesOf(notes).values()]
  return {
    lost: notes.filter(({ what }) => what === 'lost').length,
    again: stories.filter(({ kept }) => kept.length > 1).length,
    twice: stories.filter(({ effects }) => effects.length > 1).length,
    poison: stories.filter(({ ends }) => ends.some(({ kind }) => kind === 'poison')).length,
  }
}

function wrongIn(story: Story, number: number, losses: readonly Kind<'lost'>[]): string[] {
  const { effects, ends, kept } = story
  const wrong: string[] = []
  // One that lost three nodes is told as that, and tried again by the submitter.
  const final = ends.filter(({ kind }) => kind !== 'poison')
  const [end] = final
  if (!end || final.length > 1) wrong.push(`was told ${final.length} times`)
  else if (end.state !== 'done') wrong.push(`is ${end.state}, ${end.kind}`)
  else if (end.result !== resultOf(number)) wrong.push(`has the result ${end.result}`)
  for (const { kind, lost } of ends)
    if (kind === 'poison' && lost < 3) wrong.push(`is poison, and has lost ${lost} nodes`)
  if (effects.length === 0) wrong.push('was done by nobody')
  for (const node of new Set(effects.map(({ node }) => node))) {
    const done = effects.filter((effect) => effect.node === node).length
    const had = kept.filter((handed) => handed.node === node).length
    if (done > had) wrong.push(`was done ${done} times by ${node}, which had it ${had} times`)
  }
  kept.slice(1).forEach((next, index) => {
    const before = kept[index] as Kind<'handed'>
    const isLost = losses.some(({ node, at }) => node === before.node && at <= next.at + CLOCK_MS)
    if (!isLost) wrong.push(`was handed to ${next.node} before ${before.node} was lost`)
  })
  return wrong
}

function storiesOf(notes: readonly Note[]): Map<string, Story> {
  const stories = new Map<string, Story>()
  for (const note of notes) {
    if (note.what === 'lost') continue
    const story = stories.get(note.id) ?? new Story()
    stories.set(note.id, story)
    story.take(note)
  }
  return stories
}
