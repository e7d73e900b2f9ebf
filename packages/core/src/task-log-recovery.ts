/**
 * Reads a log from its beginning to its end, and judges the end: what nobody was told of is cut off without a word, and
 * where something is missing that somebody was told of, that is said, with what and where.
 *
 * What is missing shows by what is still there. Behind a record that is not whole stands one of a later commit, which would
 * not have begun; or the next piece begins with another number; or the mark counts further.
 *
 * @since 0.25.0
 */
import { OperationalError } from './lifecycle.ts'
import type { LogFiles } from './task-log-files.ts'
import { HEAD_BYTES, type LogOwner, readHead, TASK_STORE } from './task-log-head.ts'
import type { Kept } from './task-log-kept.ts'
import type { Marked } from './task-log-mark.ts'
import { RecordReader, readStart } from './task-log-reader.ts'
import { type LogRecord, seedOf, wholeRecords } from './task-log-record.ts'
import { filesOf, nameOf, type Segment } from './task-log-segment.ts'

/**
 * What was read of a log.
 *
 * @internal
 */
export interface Recovered {
  /** The pieces of the log, in order. */
  segments: Segment[]
  /** The number of the last record that is in them. */
  last: number
  /** What is in the mark alone, and belongs behind that. */
  copy: LogRecord[]
  /** The same in words, with where it should be; undefined where there is no such thing. */
  mended: string | undefined
}

/**
 * Reads a log.
 *
 * @param kept what {@link findKept} has found
 * @param take gets each record, in order
 * @throws OperationalError when something is damaged that was acknowledged
 * @internal
 */
export async function recover(
  files: LogFiles,
  folder: string,
  mark: Marked,
  kept: Kept | undefined,
  take: (record: LogRecord) => void,
  owner = TASK_STORE,
): Promise<Recovered> {
  const seed = seedOf(mark.store)
  if (kept) await readKept(files, kept, seed, take, owner)
  const segments = await segmentsOf(files, folder, mark, kept?.index ?? 0, owner)
  let last = kept?.through ?? 0
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1]
    const isNewest = segments.slice(index + 1).every(({ isEmpty }) => isEmpty)
    const reader = new RecordReader(files, segment.path, seed)
    let [end, isOver] = [HEAD_BYTES, false]
    for await (const records of reader) {
      for (const record of records) {
        // What a later piece has as well was refused here: it counts there.
        isOver ||= record.number !== last + 1 || record.number >= (next?.first ?? Number.POSITIVE_INFINITY)
        if (isOver) break
        take(record)
        last = record.number
        end += record.bytes.length
      }
      if (isOver) break
    }
    segment.last = last
    segment.end = end
    // Where the next one does not even begin well, that is told of the next one.
    if (next?.first !== undefined && next.first !== last + 1)
      throw damage(files, segment, last + 1, `record ${next.first} is the first one in ${next.path}`, owner)
    const proof = isNewest ? await proofOfMore(files, segment, seed, last) : undefined
    if (proof) throw damage(files, segment, last + 1, proof, owner)
  }
  const copy = mark.copy.filter(({ number }) => number > last)
  const isNext = copy[0]?.number === last + 1
  const marked = segments.find(({ index }) => index === mark.index)
  if (mark.through > last && !isNext) {
    const proof = `${mark.through} records were acknowledged, as the file mark beside it says`
    if (marked) throw damage(files, marked, last + 1, proof, owner)
    throw new OperationalError(
      `${folder} has no ${nameOf('log', mark.index)}: ${proof}, and here are ${last}. ${owner.whatToDo}`,
    )
  }
  if (!isNext) return { segments, last, copy: [], mended: undefined }
  const where = marked
    ? `${marked.path} is not whole from byte ${marked.end} on`
    : `${folder} has no ${nameOf('log', mark.index)}`
  const mended = `${where}, where record ${last + 1} should be. That was of what was written last: it is taken from the file mark beside it, and written again. A power cut may leave that; if there was none, the disk may be failing.`
  return { segments, last, copy, mended }
}

/**
 * The file of what is kept, as it says itself: the newest, since older ones are left from when it was made.
 *
 * @throws OperationalError when its beginning is damaged
 * @internal
 */
export async function findKept(
  files: LogFiles,
  folder: string,
  store: string,
  owner = TASK_STORE,
): Promise<Kept | undefined> {
  const found = filesOf(files, folder, 'kept').at(-1)
  if (!found) return undefined
  const { path, index } = found
  const start = await readStart(files, path, HEAD_BYTES)
  const { through = 0, count = 0, bytes = 0 } = readHead(start, path, 'kept', store, owner)
  return { path, index, through, count, bytes }
}

async function readKept(
  files: LogFiles,
  { path, count }: Kept,
  seed: number,
  take: (record: LogRecord) => void,
  owner: LogOwner,
): Promise<void> {
  const reader = new RecordReader(files, path, seed)
  let [read, last] = [0, 0]
  for await (const records of reader) {
    for (const record of records.slice(0, count - read)) {
      take(record)
      last = record.number
      read += 1
    }
  }
  if (read === count) return
  throw new OperationalError(
    `${path} is damaged at byte ${reader.end}: what stood there after record ${last} is not whole, and of ${count} records ${count - read} are missing. ${owner.whatToDo}`,
  )
}

/** A piece, with what it begins with. */
interface Begun extends Segment {
  /** The number of the record that stands first; undefined where that is not whole. */
  first: number | undefined
  /** Whether there is no whole record in it. */
  isEmpty: boolean
}

/** The pieces that count. */
async function segmentsOf(
  files: LogFiles,
  folder: string,
  mark: Marked,
  kept: number,
  owner: LogOwner,
): Promise<Begun[]> {
  const found = filesOf(files, folder, 'log').filter(({ index }) => index > kept)
  const segments: Begun[] = []
  for (const [place, { index, path }] of found.entries()) {
    const expected = kept + 1 + place
    if (index !== expected)
      throw new OperationalError(
        `${folder} has no ${nameOf('log', expected)}, and a ${nameOf('log', index)}: a piece of the log is missing. ${owner.whatToDo}`,
      )
    const begun = await beginOf(files, path, mark.store, place === found.length - 1, owner)
    segments.push({ index, path, last: 0, end: HEAD_BYTES, ...begun })
  }
  return segments
}

/** How a piece begins. The last one may not even have been made to its end. */
async function beginOf(
  files: LogFiles,
  path: string,
  store: string,
  isLast: boolean,
  owner: LogOwner,
): Promise<Pick<Begun, 'first' | 'isEmpty'>> {
  const seed = seedOf(store)
  const reader = new RecordReader(files, path, seed)
  try {
    const first = (await reader.next())?.[0]?.number
    const start = await readStart(files, path, HEAD_BYTES)
    if (first !== undefined) {
      readHead(start, path, 'log', store, owner)
      return { first, isEmpty: false }
    }
    const isEmpty = wholeRecords(await readStart(files, path, Number.POSITIVE_INFINITY), 0, seed).next().done
    const isUnfinished = isEmpty && isLast && (start.length < HEAD_BYTES || start.includes(0))
    if (!isUnfinished) readHead(start, path, 'log', store, owner)
    return { first, isEmpty: isEmpty === true }
  } finally {
    reader.close()
  }
}

/** What shows that the newest piece has had more than its last record, and that this was acknowledged. */
async function proofOfMore(
  files: LogFiles,
  { path, end }: Segment,
  seed: number,
  last: number,
): Promise<string | undefined> {
  const bytes = await readStart(files, path, Number.POSITIVE_INFINITY)
  for (const record of wholeRecords(bytes, end, seed)) {
    // The first of its commit: all before that were synchronised.
    const first = record.number - record.place
    if (first > last + 1) return `record ${record.number}, which came later, stands behind it`
  }
  return undefined
}

function damage(
  files: LogFiles,
  { path, end }: Segment,
  number: number,
  proof: string,
  owner: LogOwner,
): OperationalError {
  const file = files.open(path, 'r')
  const size = files.size(file)
  files.close(file)
  const what = size <= end ? 'the file ends, and' : 'what stands there is not whole:'
  return new OperationalError(
    `${path} is damaged at byte ${end}: ${what} record ${number} should be there. It was acknowledged: ${proof}. ${owner.whatToDo}`,
  )
}
