/** How far a reader has come with the practice folders, and what comes next. */
import { allChapters, type Chapter } from '../chapters/chapters.ts'
import { PracticeFolder } from './folder.ts'
import { lastCheck } from './promises.ts'

/** How far a folder is, as far as is known without running its tests. */
export function standing(folder: PracticeFolder): string {
  const check = lastCheck(folder)
  if (!check) return folder.memory.check ? 'not checked since you changed it' : 'not checked yet'
  if (isDone(folder)) return `done: all ${check.promises} promises kept`
  return `${check.kept} of ${check.promises} promises kept`
}

/** What to do next: go on with the folder that was used last, or begin the chapter after it. */
export function nextStep(folders: readonly PracticeFolder[]): string {
  const last = folders.toSorted((a, b) => a.lastUsed - b.lastUsed).at(-1)
  if (!last) return begin(allChapters()[1])
  return isDone(last) ? stepAfter(last) : goOnWith(last)
}

/** What to do when a folder is done: the chapter after it, and at the end of the series what was left out. */
export function stepAfter({ chapter }: PracticeFolder): string {
  const chapters = allChapters().slice(1)
  const order = [
    ...chapters.filter(({ number }) => number > chapter.number),
    ...chapters.filter(({ number }) => number < chapter.number),
  ]
  for (const next of order) {
    const folder = new PracticeFolder(next)
    if (!folder.exists) return begin(next)
    if (!isDone(folder)) return goOnWith(folder)
  }
  return 'You have built every chapter.'
}

function isDone(folder: PracticeFolder): boolean {
  const check = lastCheck(folder)
  return check !== undefined && check.kept === check.promises
}

function goOnWith({ name, chapter }: PracticeFolder): string {
  const command = `pnpm practice ${chapter.number}`
  return `Next: go on with ${name}. ${command} --check says how far it is, and ${command} --hint what to do.`
}

function begin(chapter: Chapter | undefined): string {
  if (!chapter) return 'There is no chapter to build yet.'
  return `Next: pnpm practice ${chapter.number}, to build ${chapter.name}: ${chapter.teaches}.`
}
