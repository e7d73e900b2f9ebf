/** The changed lines of a file with some of the unchanged ones around them, as a reader is shown them. */
import type { FileDiff } from './file-diff.ts'
import type { ChangedLines } from './line-diff.ts'

/** Lines of a file on both sides, counted from 0, the ends excluded, and the runs of them that differ. */
export interface HunkLines extends ChangedLines {
  runs: ChangedLines[]
}

export interface HunkOptions {
  /** How many unchanged lines are shown around changed ones. */
  context?: number
  /** Hunks with no more than so many lines between them are shown as one. */
  interHunk?: number
}

/** git's, as long as nobody asks for another number. */
const CONTEXT_LINES = 3

/** The hunks of a file that differs, in their order. */
export function hunksIn(
  { before, after, runs }: FileDiff,
  { context = CONTEXT_LINES, interHunk = 0 }: HunkOptions = {},
): HunkLines[] {
  const [older, newer] = [before?.lines ?? [], after?.lines ?? []]
  return groupsOf(runs, 2 * context + interHunk).map((group) => {
    const [first, last] = [group[0] as ChangedLines, group.at(-1) as ChangedLines]
    const above = Math.min(context, first.beforeStart, first.afterStart)
    const below = Math.min(context, older.length - last.beforeEnd, newer.length - last.afterEnd)
    return {
      beforeStart: first.beforeStart - above,
      beforeEnd: last.beforeEnd + below,
      afterStart: first.afterStart - above,
      afterEnd: last.afterEnd + below,
      runs: group,
    }
  })
}

/** The runs that one hunk shows: those with no more than `distance` lines between them. */
function groupsOf(runs: readonly ChangedLines[], distance: number): ChangedLines[][] {
  const groups: ChangedLines[][] = []
  for (const run of runs) {
    const last = groups.at(-1)?.at(-1)
    if (last && run.beforeStart - last.beforeEnd <= distance) groups.at(-1)?.push(run)
    else groups.push([run])
  }
  return groups
}
