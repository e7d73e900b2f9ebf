/**
 * What goes between a program and the thread that has its store's file.
 *
 * @since 0.17.0
 */
import type { Keep } from './store-levels.ts'

/** What a node has measured. */
export interface Sample {
  /** Which node: an id that stays. */
  node: string
  /** What people call it now. */
  name: string
  /** When, in s since 1970. Of two in the same second, the later one holds. */
  at: number
  /** The numbers, by what they are called. */
  values: Readonly<Record<string, number>>
}

/** What a vital is called, and what it is measured in. */
export interface About {
  label: string
  unit: string
}

/**
 * What is committed together.
 *
 * @internal
 */
export interface Batch {
  samples: Sample[]
  about: [vital: string, about: About][]
  /** For an outbox, in order. */
  texts: [box: string, text: string][]
  /** Up to which text an outbox is empty now. */
  drops: [box: string, upTo: number][]
}

/**
 * A batch of nothing.
 *
 * @internal
 */
export function emptyBatch(): Batch {
  return { samples: [], about: [], texts: [], drops: [] }
}

/**
 * How many things are in it.
 *
 * @internal
 */
export function countOf({ samples, about, texts, drops }: Batch): number {
  return samples.length + about.length + texts.length + drops.length
}

/** @internal */
export function isEmpty(batch: Batch): boolean {
  return countOf(batch) === 0
}

/**
 * One batch and then the other.
 *
 * @internal
 */
export function joined(first: Batch, second: Batch): Batch {
  return {
    samples: [...first.samples, ...second.samples],
    about: [...first.about, ...second.about],
    texts: [...first.texts, ...second.texts],
    drops: [...first.drops, ...second.drops],
  }
}

/**
 * Takes the first part of a batch away, at most so many of each.
 *
 * @internal
 */
export function takeFrom(batch: Batch, most: number): Batch {
  return {
    samples: batch.samples.splice(0, most),
    about: batch.about.splice(0, most),
    texts: batch.texts.splice(0, most),
    drops: batch.drops.splice(0, most),
  }
}

/**
 * How much of memory a batch takes, in values and texts.
 *
 * @internal
 */
export function weightOf({ samples, texts }: Batch): number {
  return samples.reduce((sum, { values }) => sum + Object.keys(values).length, texts.length)
}

/**
 * What has become of a batch.
 *
 * @internal
 */
export interface Committed {
  /** How many samples were older than what can still be changed, or of a time to come. */
  misdated: number
  /** How many values were left out because there are too many series. */
  tooMany: number
  /** How many texts wait in each outbox. */
  waiting: [box: string, count: number][]
  /** Of how many texts an outbox was relieved because it had too many. */
  overflow: [box: string, count: number][]
}

/** What is asked of a store. */
export interface HistoryQuery {
  /** Of which vital: `cpu_percentage`. */
  vital: string
  /** Of which node, by its id. Without: of all, 100 at most. */
  node?: string
  /** The first moment, in s since 1970. */
  from: number
  /** The moment after the last, in s since 1970. */
  to: number
}

/**
 * The answer, as it comes from the thread: all numbers in one piece, which costs nothing to hand over.
 *
 * @internal
 */
export interface Answer {
  about: Partial<About>
  step: number
  first: number
  count: number
  nodes: { node: string; name: string }[]
  /** For each node its means, and where one was asked for its least and greatest values: NaN where there is none. */
  numbers: Float64Array<ArrayBuffer>
  more: number
}

/** A vital that there is. */
export interface Vital extends Partial<About> {
  vital: string
}

/** A text that waits in an outbox. */
export interface Waiting {
  id: number
  text: string
}

/**
 * What the thread needs to begin.
 *
 * @internal
 */
export interface ThreadOptions {
  path: string
  keep: Keep
  sampleSeconds: number
  mostSeries: number
  outboxLimit: number
}

/**
 * What can be asked of the thread, with what it answers.
 *
 * @internal
 */
export interface Requests {
  commit: { asked: Batch; answer: Committed }
  history: { asked: HistoryQuery; answer: Answer }
  vitals: { asked: undefined; answer: Vital[] }
  oldest: { asked: { box: string; count: number }; answer: Waiting[] }
}

/** @internal */
export type Kind = keyof Requests

/**
 * From the program.
 *
 * @internal
 */
export interface Request<K extends Kind = Kind> {
  id: number
  kind: K
  asked: Requests[K]['asked']
}

/**
 * From the thread.
 *
 * @internal
 */
export type Reply =
  /** It can begin, and what waits in the outboxes; or why it cannot be used at all. */
  | { refused: string[] }
  | { began: [box: string, count: number][]; newest?: number | undefined }
  /** To the log. */
  | { warning: string }
  | { id: number; answer: Requests[Kind]['answer'] }
  /** What went wrong, in words. */
  | { id: number; trouble: string }
