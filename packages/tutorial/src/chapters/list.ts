/** The chapters as `pnpm chapters` lists them in a terminal: in parts, with their times. */
import type { Chapter } from './chapters.ts'
import { PARTS, stillToCome, twoDigits } from './parts.ts'

export function chapterList(chapters: readonly Chapter[]): string {
  const parts = PARTS.flatMap((part) => {
    const own = chapters.filter(({ number }) => part.first <= number && number <= part.last)
    if (own.length === 0) return []
    return [
      `Part ${part.number}: ${part.title}. At its end you can ${part.atItsEnd}.\n`,
      ...own.map(
        ({ number, title, teaches, minutes, name, post }) =>
          `${twoDigits(number)}  ${title}
    ${teaches}.
    time:     ${minutes.reading} minutes to read, ${minutes.doing} to run and try
    run it:   pnpm --filter ${name} start
    its post: ${post}
`,
      ),
    ]
  })
  const rest = stillToCome(chapters.at(-1)?.number ?? 0)
  return [...parts, ...(rest === undefined ? [] : [rest])].join('\n')
}
