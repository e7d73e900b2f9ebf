/**
 * What a process that does tasks and the one that has started it say to each other: lines, over two descriptors. What the
 * child says it notes in a file as well, in memory, before it goes on; and sends it when there is much of it, or nothing else
 * to do. So nobody is woken for each short task, and if the child ends, its notes have how far it was.
 *
 * | Line of the child | What it means |
 * | --- | --- |
 * | `R` | it is ready |
 * | `X REASON` | the file of the tasks cannot be loaded |
 * | `B SEQ` | this task begins |
 * | `P SEQ PART` | it is so far |
 * | `A SEQ MS THEN RESULT` | it is done |
 * | `F SEQ MS THEN [KIND, REASON]` | it has failed |
 * | `G SEQ EPOCH` | behind one of these two: it took so long until that was written that whatever was handed over besides is given back after all |
 *
 * THEN is `next` when the one after it begins at once, without a word; `later` when it says so; `back` when it has taken so
 * long that whatever was handed over besides is given back.
 *
 * @since 0.24.0
 */
import { DEFAULT_MAX_FRAME_BYTES } from './frames.ts'

/**
 * The descriptor on which tasks come in.
 *
 * @internal
 */
export const TASKS_IN = 3

/**
 * The descriptor on which is written what comes of them.
 *
 * @internal
 */
export const WORDS_OUT = 4

/**
 * The descriptor of the file with the notes: the lines that were not sent yet, from its beginning to the first zero byte.
 *
 * @internal
 */
export const NOTES = 5

/**
 * The longest line that is noted, in characters: a longer one is sent at once.
 *
 * @internal
 */
export const LONGEST_NOTE = 8 * 1024

/**
 * How much is noted before it is sent, in characters.
 *
 * @internal
 */
export const MOST_NOTES = 32 * 1024

/**
 * How large a result may be, as JSON, in bytes: what goes into a frame, with 4 KiB for what stands around it.
 *
 * @internal
 */
export const MOST_RESULT_BYTES = DEFAULT_MAX_FRAME_BYTES - 4 * 1024

/**
 * How long a reason may be, in characters.
 *
 * @internal
 */
export const LONGEST_REASON = 500

/**
 * After how long a task in work gives back what waits behind it, when it has ended, in ms. Whoever sees it at work for longer,
 * and has nothing unread of it, knows that it will, and may hand that to others at once.
 *
 * @internal
 */
export const GIVES_BACK_MS = 10

/**
 * A task, handed over.
 *
 * @internal
 */
export interface HandedTask {
  /** What it is called between the two: each has another. */
  seq: number
  id: string
  name: string
  /** As JSON. */
  input: string
  attempt: number
}

/**
 * Tasks, handed over. The epoch says how often what waited was given back before: what is of an older one is not done.
 *
 * @internal
 */
export interface Handed {
  epoch: number
  tasks: HandedTask[]
}

/**
 * What is next, after a task.
 *
 * @internal
 */
export type Then = 'next' | 'later' | 'back'
