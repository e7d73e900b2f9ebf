/**
 * Two folders side by side, each as texts by their names: which files differ, which have moved, and in which lines.
 * Nothing here knows of Node, so that a browser can compare the same way.
 */
import { type ChangedLines, changedLines } from './line-diff.ts'

/** The text of each file, by its path in its folder: `src/main.ts`. */
export type Texts = ReadonlyMap<string, string>

/** A file on one side. */
export interface Side {
  file: string
  /** Its lines, each with the line feed that ends it. None of a file that is no text. */
  lines: string[]
}

/** A file that differs. */
export interface FileDiff {
  status: 'added' | 'removed' | 'moved' | 'changed'
  /** What it was; nothing for an added file. */
  before?: Side
  /** What it is; nothing for a removed file. */
  after?: Side
  /** The runs of lines that differ, in their order. */
  runs: ChangedLines[]
  /** How much of a moved file stayed, from 0 to 1. */
  similarity?: number
  /** True for what is no text: it differs as a whole. */
  isBinary: boolean
  /** The earlier folder that `before` is from, for a file that is back. */
  backFrom?: string
}

export interface FileDiffOptions {
  /** How alike two files must be, from 0 to 1, for one to count as the other that has moved. */
  moved: number
  /** What of a line counts, where not all of it does. */
  key?: (line: string) => string
  /** Files that are known to have had another name: what it was, by what it is. */
  renamed?: ReadonlyMap<string, string>
}

/** Every file that differs, in the order of their newer names. */
export function diffFiles(
  before: Texts,
  after: Texts,
  { moved, key, renamed = new Map() }: FileDiffOptions,
): FileDiff[] {
  const known = movesIn(renamed, before, after)
  const knownFrom = new Set([...known.values()].map(({ from }) => from))
  // What has the name of a file that was renamed is another file.
  const hasPair = (file: string) =>
    before.has(file) && after.has(file) && !known.has(file) && !knownFrom.has(file)
  const removed = [...before.keys()].filter((file) => !hasPair(file) && !knownFrom.has(file))
  const added = [...after.keys()].filter((file) => !hasPair(file) && !known.has(file))
  const moves = new Map([...known, ...movesAmong(removed, added, before, after, moved)])
  const diffs: FileDiff[] = []
  for (const [file, text] of after) {
    const move = moves.get(file)
    const from = move?.from ?? file
    const older = move || hasPair(file) ? before.get(from) : undefined
    if (older === text && move === undefined) continue
    diffs.push(
      diffOf(
        older === undefined ? undefined : { file: from, text: older },
        { file, text },
        key,
        move?.similarity,
      ),
    )
  }
  const movedAway = new Set([...moves.values()].map(({ from }) => from))
  for (const file of removed) {
    if (movedAway.has(file)) continue
    diffs.push(diffOf({ file, text: before.get(file) ?? '' }, undefined, key))
  }
  // Folder by folder: `test/python/one.py` before `test/python.test.ts`.
  const place = (diff: FileDiff) => nameOf(diff).replaceAll('/', '\0')
  return diffs.sort((a, b) => (place(a) < place(b) ? -1 : 1))
}

/** What a file is called in the newer folder; what it was called, if it is gone. */
export function nameOf({ before, after }: FileDiff): string {
  return (after ?? before)?.file ?? ''
}

/** How many lines a file has gained and lost. */
export function sizeOf({ runs }: FileDiff): { added: number; removed: number } {
  return {
    added: runs.reduce((sum, { afterStart, afterEnd }) => sum + afterEnd - afterStart, 0),
    removed: runs.reduce((sum, { beforeStart, beforeEnd }) => sum + beforeEnd - beforeStart, 0),
  }
}

interface Named {
  file: string
  text: string
}

function diffOf(
  before: Named | undefined,
  after: Named | undefined,
  key: FileDiffOptions['key'],
  similarity?: number,
): FileDiff {
  const isBinary = [before, after].some((side) => side?.text.includes('\0'))
  const linesOf = (side: Named | undefined) => (side && !isBinary ? linesIn(side.text) : [])
  const [older, newer] = [linesOf(before), linesOf(after)]
  return {
    status: !before ? 'added' : !after ? 'removed' : similarity !== undefined ? 'moved' : 'changed',
    ...(before && { before: { file: before.file, lines: older } }),
    ...(after && { after: { file: after.file, lines: newer } }),
    runs: changedLines(older, newer, key),
    ...(similarity !== undefined && { similarity }),
    isBinary,
  }
}

/** The lines of a text, each with its line feed; the last may have none. */
export function linesIn(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}

/** A file under another name, and how much of it stayed. */
interface Move {
  from: string
  similarity: number
}

/** Those of the files which are known to have had another name that are there on both sides. */
function movesIn(renamed: ReadonlyMap<string, string>, before: Texts, after: Texts): Map<string, Move> {
  return new Map(
    [...renamed]
      .filter(([file, from]) => before.has(from) && after.has(file))
      .map(([file, from]) => {
        const similarity = similarityOf(contentOf(from, before), contentOf(file, after))
        return [file, { from, similarity }]
      }),
  )
}

/** Where each added file was, if it is a removed one that has moved: the most alike first, and of those the ones of the same name. */
function movesAmong(
  removed: readonly string[],
  added: readonly string[],
  before: Texts,
  after: Texts,
  least: number,
): Map<string, Move> {
  const older = removed.map((file) => contentOf(file, before))
  const newer = added.map((file) => contentOf(file, after))
  const pairs = newer
    .flatMap((to) =>
      older.map((from) => ({
        from: from.file,
        to: to.file,
        similarity: similarityOf(from, to),
        isSameName: baseOf(from.file) === baseOf(to.file),
      })),
    )
    .filter(({ similarity }) => similarity >= least)
    .sort((a, b) => b.similarity - a.similarity || Number(b.isSameName) - Number(a.isSameName))
  const moves = new Map<string, Move>()
  const taken = new Set<string>()
  for (const { from, to, similarity } of pairs) {
    if (moves.has(to) || taken.has(from)) continue
    moves.set(to, { from, similarity })
    taken.add(from)
  }
  return moves
}

interface Content {
  file: string
  text: string
  /** How many characters of the file are in each of its pieces: lines, or 64 characters of longer ones. */
  pieces: Map<string, number>
}

function contentOf(file: string, texts: Texts): Content {
  const text = texts.get(file) ?? ''
  const pieces = new Map<string, number>()
  for (const piece of text.match(/[^\n]{0,63}\n|[^\n]{1,64}/g) ?? [])
    pieces.set(piece, (pieces.get(piece) ?? 0) + piece.length)
  return { file, text, pieces }
}

/** How much of the larger of two files is in the other too, from 0 to 1. */
function similarityOf(a: Content, b: Content): number {
  if (a.text === b.text) return 1
  let common = 0
  for (const [piece, size] of a.pieces) common += Math.min(size, b.pieces.get(piece) ?? 0)
  return common / Math.max(a.text.length, b.text.length)
}

function baseOf(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1)
}
