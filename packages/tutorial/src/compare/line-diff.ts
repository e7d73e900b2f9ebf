/**
 * Which lines of a text changed. jsdiff finds the fewest; of the places where a run of them could stand as
 * well, the one is taken that a person would choose: a whole function, not the end of one and most of the next.
 * Nothing here knows of files or of Node.
 */
import { diffArrays } from 'diff'

/** Lines of the older text that other lines of the newer one stand for. All counted from 0, the ends excluded. */
export interface ChangedLines {
  beforeStart: number
  beforeEnd: number
  afterStart: number
  afterEnd: number
}

/** The most lines that jsdiff may put in and take out. Beyond, two texts count as having nothing in common. */
const MOST_EDITS = 2_000

/** How far around a line is looked at most, in lines. */
const FARTHEST_LOOK = 100

/** How far a run of changed lines is moved at most in search of a better place, in lines. */
const FARTHEST_SLIDE = 100

/**
 * The runs of lines that differ, in their order.
 *
 * @param key what of a line counts: two lines with the same are the same
 */
export function changedLines(
  before: readonly string[],
  after: readonly string[],
  key = (line: string) => line,
): ChangedLines[] {
  const older = sideOf(before, key)
  const newer = sideOf(after, key)
  markChanges(older, newer)
  slideGroups(older, newer)
  slideGroups(newer, older)
  return runsOf(older, newer)
}

/** One of the two texts. */
interface Side {
  lines: readonly string[]
  keys: readonly string[]
  /** For each line, whether the other text lacks it. */
  changed: boolean[]
}

function sideOf(lines: readonly string[], key: (line: string) => string): Side {
  return { lines, keys: lines.map(key), changed: lines.map(() => false) }
}

/** Marks the lines that differ, as few as possible. */
function markChanges(older: Side, newer: Side): void {
  let start = 0
  let [olderEnd, newerEnd] = [older.keys.length, newer.keys.length]
  while (start < Math.min(olderEnd, newerEnd) && older.keys[start] === newer.keys[start]) start += 1
  while (Math.min(olderEnd, newerEnd) > start && older.keys[olderEnd - 1] === newer.keys[newerEnd - 1]) {
    olderEnd -= 1
    newerEnd -= 1
  }
  const olderIndices = worthMatching(older, newer, start, olderEnd, newerEnd)
  const newerIndices = worthMatching(newer, older, start, newerEnd, olderEnd)
  const keysAt = (side: Side, indices: readonly number[]) =>
    indices.map((index) => side.keys[index] as string)
  const parts = diffArrays(keysAt(older, olderIndices), keysAt(newer, newerIndices), {
    maxEditLength: MOST_EDITS,
  }) ?? [
    { removed: true, added: false, count: olderIndices.length },
    { removed: false, added: true, count: newerIndices.length },
  ]
  let [olderNext, newerNext] = [0, 0]
  for (const { removed, added, count } of parts) {
    for (let left = count; left > 0; left -= 1) {
      if (!added) older.changed[olderIndices[olderNext++] as number] = removed
      if (!removed) newer.changed[newerIndices[newerNext++] as number] = added
    }
  }
}

/**
 * Which lines from `start` to `end` may be unchanged; the others are marked as changed. Those that the other side has
 * nowhere have changed for certain. One that it has everywhere, such as a blank line, has changed too where all around
 * it has: else two texts of which nothing is left would be matched at their blank lines.
 */
function worthMatching(side: Side, other: Side, start: number, end: number, otherEnd: number): number[] {
  const timesThere = new Map<string, number>()
  for (const key of other.keys.slice(start, otherEnd)) timesThere.set(key, (timesThere.get(key) ?? 0) + 1)
  const often = 2 ** Math.ceil(Math.log2(side.keys.length + 1) / 2)
  const kindOf = (index: number) => {
    const times = timesThere.get(side.keys[index] as string) ?? 0
    return times === 0 ? 'new' : times < often ? 'known' : 'common'
  }
  const kinds = side.keys.slice(start, end).map((_, index) => kindOf(start + index))
  const indices: number[] = []
  for (const [index, kind] of kinds.entries()) {
    if (kind === 'known' || (kind === 'common' && !isAmongNew(kinds, index))) indices.push(start + index)
    else side.changed[start + index] = true
  }
  return indices
}

/** True where most of the lines around a common one are new, up to the nearest known ones. */
function isAmongNew(kinds: readonly string[], at: number): boolean {
  const seen = { new: 0, common: 2 }
  for (const step of [-1, 1]) {
    const before = seen.new
    for (let index = at + step; Math.abs(index - at) <= FARTHEST_LOOK; index += step) {
      const kind = kinds[index]
      if (kind !== 'new' && kind !== 'common') break
      seen[kind] += 1
    }
    if (seen.new === before) return false
  }
  return seen.new > 3 * seen.common
}

/**
 * Walks over the groups of changed lines of one side. Between two neighbouring unchanged lines there is a group,
 * which may be empty; both sides have as many unchanged lines, hence as many groups.
 */
class Groups {
  start = 0
  end = 0
  readonly side: Side

  constructor(side: Side) {
    this.side = side
    this.#widen()
  }

  get isEmpty(): boolean {
    return this.start === this.end
  }

  /** Goes on to the group after the next unchanged line; false when this is the last. */
  next(): boolean {
    if (this.end === this.side.keys.length) return false
    this.start = this.end += 1
    this.#widen()
    return true
  }

  /** Goes back to the group before. */
  previous(): void {
    this.end = this.start -= 1
    this.#widen()
  }

  /** Moves the group a line up, where the line above it is the same as its last; false where it is not. */
  slideUp(): boolean {
    const { keys, changed } = this.side
    if (this.start === 0 || keys[this.start - 1] !== keys[this.end - 1]) return false
    this.start -= 1
    this.end -= 1
    changed[this.start] = true
    changed[this.end] = false
    this.#widen()
    return true
  }

  /** The same down. */
  slideDown(): boolean {
    const { keys, changed } = this.side
    if (this.end === keys.length || keys[this.start] !== keys[this.end]) return false
    changed[this.start] = false
    changed[this.end] = true
    this.start += 1
    this.end += 1
    this.#widen()
    return true
  }

  /** Takes in the changed lines next to it. */
  #widen(): void {
    const { changed } = this.side
    while (this.start > 0 && changed[this.start - 1]) this.start -= 1
    while (changed[this.end]) this.end += 1
  }
}

/** Moves each group of one side to its best place: beside a group of the other side, or else where it reads best. */
function slideGroups(side: Side, other: Side): void {
  const groups = new Groups(side)
  const others = new Groups(other)
  do {
    if (!groups.isEmpty) slideGroup(groups, others)
    others.next()
  } while (groups.next())
}

function slideGroup(groups: Groups, others: Groups): void {
  const up = () => {
    const hasMoved = groups.slideUp()
    if (hasMoved) others.previous()
    return hasMoved
  }
  const down = () => {
    const hasMoved = groups.slideDown()
    if (hasMoved) others.next()
    return hasMoved
  }
  let size: number
  let highest: number
  let isBesideOther: boolean
  // A group that meets another on its way becomes one with it, and may then go farther.
  do {
    size = groups.end - groups.start
    while (up()) {}
    highest = groups.end
    isBesideOther = !others.isEmpty
    while (down()) isBesideOther ||= !others.isEmpty
  } while (size !== groups.end - groups.start)
  if (groups.end === highest) return
  const best = isBesideOther ? undefined : bestEnd(groups, size, highest)
  while (best === undefined ? others.isEmpty : groups.end > best) up()
}

/** Where a group that may end anywhere from `highest` to where it ends now is best cut: the lowest of the best places. */
function bestEnd({ end, side }: Groups, size: number, highest: number): number {
  let best = end
  let bestScore = Number.POSITIVE_INFINITY
  // Farther than its own size, the same places come again.
  for (let at = Math.max(highest, end - size - 1, end - FARTHEST_SLIDE); at <= end; at += 1) {
    const score = badnessOfCut(side.lines, at - size) + badnessOfCut(side.lines, at)
    if (score > bestScore) continue
    best = at
    bestScore = score
  }
  return best
}

/**
 * How bad it is to cut a text before a line: the less the farther out that line stands, less still after a blank
 * line, and more where the line belongs to the one above it (it stands farther in) or closes it (farther out).
 */
function badnessOfCut(lines: readonly string[], at: number): number {
  if (at === lines.length) return -1
  let next = at
  while (next < lines.length - 1 && isBlank(lines[next])) next += 1
  let previous = at - 1
  while (previous > 0 && isBlank(lines[previous])) previous -= 1
  const indent = indentOf(lines[next])
  const above = indentOf(lines[previous])
  const isAfterBlank = isBlank(lines[at - 1])
  const awkward = at === 0 || indent === above ? 0 : indent > above ? 0.2 : 0.5
  return indent + (isAfterBlank ? -0.5 : awkward) + (isBlank(lines[at]) ? 0.1 : 0)
}

function isBlank(line: string | undefined): boolean {
  return line !== undefined && line.trim() === ''
}

/** How far in a line stands, in columns; a tab goes to the next multiple of eight. */
function indentOf(line = ''): number {
  let columns = 0
  for (const char of line) {
    if (char === '\t') columns += 8 - (columns % 8)
    else if (char === ' ') columns += 1
    else break
  }
  return columns
}

function runsOf({ changed: older }: Side, { changed: newer }: Side): ChangedLines[] {
  const runs: ChangedLines[] = []
  let [before, after] = [0, 0]
  while (before < older.length || after < newer.length) {
    const [beforeStart, afterStart] = [before, after]
    while (older[before]) before += 1
    while (newer[after]) after += 1
    if (before > beforeStart || after > afterStart)
      runs.push({ beforeStart, beforeEnd: before, afterStart, afterEnd: after })
    before += 1
    after += 1
  }
  return runs
}
