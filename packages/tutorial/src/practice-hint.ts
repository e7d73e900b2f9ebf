/** `pnpm practice NN --hint`: what to do next, first in the words of the chapter's README, then as lines. */
import { type Missing, missingChanges } from './missing-changes.ts'
import type { PracticeFolder } from './practice-folder.ts'

/**
 * Shows the explanation of the next missing change; when that was shown already, the change itself.
 * After that it goes on to the one after, since a reader may have solved it in another way.
 */
export function hint(folder: PracticeFolder): number {
  const { memory, chapter } = folder
  const missing = missingChanges(folder)
  if (missing.every(({ key }) => memory.hints[key] === 'shown')) memory.hints = {}
  const next = missing.find(({ key }) => memory.hints[key] !== 'shown')
  if (!next) {
    console.log(
      `${folder.name} has every change of ${chapter.name}. pnpm practice ${chapter.number} --check says whether its promises are kept.`,
    )
    return 0
  }
  const isExplained = memory.hints[next.key] === 'explained'
  // What one sentence explains is one step, such as all import lines of a file.
  const topic = ({ change }: Missing) => change.explanation ?? change.symbol
  const step = missing.filter(
    (other) =>
      other.file === next.file &&
      topic(other) === topic(next) &&
      memory.hints[other.key] === memory.hints[next.key],
  )
  for (const { key } of step) memory.hints[key] = isExplained ? 'shown' : 'explained'
  folder.memory = memory
  console.log(isExplained ? theLines(step, folder) : theExplanation(step, missing.length, folder))
  return 0
}

function theExplanation(step: Missing[], left: number, folder: PracticeFolder): string {
  const { name, chapter } = folder
  const { file, from, change } = step[0] as Missing
  const isNew = folder.read(file) === undefined
  const symbols = [...new Set(step.flatMap(({ change }) => change.symbol ?? []))].join(', ')
  return [
    `${left} ${left === 1 ? 'change' : 'changes'} to go in ${name}. Next: ${file}${symbols && `, at ${symbols}`}`,
    ...(isNew && from !== undefined ? [`(${from} becomes ${file}: rename it)`] : []),
    ...(isNew && from === undefined ? ['(a new file)'] : []),
    '',
    `  ${change.explanation?.replace(/\s+/g, ' ') ?? `chapters/${chapter.name}/README.md says nothing of it.`}`,
    '',
    `The lines themselves: pnpm practice ${chapter.number} --hint`,
  ].join('\n')
}

function theLines(step: Missing[], { chapter }: PracticeFolder): string {
  const { file } = step[0] as Missing
  return [
    ...step.flatMap(({ change: { line, removed, added } }) => [
      `${file}, near line ${line}:`,
      '',
      ...removed.map((text) => `  - ${text}`.trimEnd()),
      ...added.map((text) => `  + ${text}`.trimEnd()),
      '',
    ]),
    `The whole file: pnpm practice ${chapter.number} --solution ${file}`,
  ].join('\n')
}
