/** The page that opens a practice folder: what the reader is going to build, and the commands to use. */
import { posix } from 'node:path'
import { filesBack } from '../chapters/back.ts'
import type { Chapter } from '../chapters/chapters.ts'
import { readReadme } from '../texts/readme.ts'

/** The text of a practice folder's README.md. */
export function goalPage(chapter: Chapter, before: Chapter): string {
  const { number, name, title, programs } = chapter
  const program = programs[0]?.name ?? 'NAME'
  const root = 'pnpm -C ../.. practice'
  return `# Practice ${String(number).padStart(2, '0')}: ${title}

Here are the programs of ${before.name} and the tests of ${name}.${backAgain(chapter, before)} Change the programs until the tests pass.
Git ignores this folder, and what you have written is never lost: no command here overwrites or deletes it.

## The goal

${goalOf(chapter)}

The chapter itself is [chapters/${name}](../../chapters/${name}/README.md), and its post is at <${chapter.post}>.

## The commands

In this folder:

\`\`\`sh
pnpm start             # run your cluster, as it is now
pnpm test              # the chapter's tests on your programs: what was expected, and what they did
${root} ${number} --check   # each promise of the chapter: kept, or not yet
${root} ${number} --hint    # what to do next, in words; the same again: how; and again: the lines
${root} ${number} --solution src/${program}.ts   # take one file from the chapter; yours is set aside, as a .bak
pnpm -C ../.. where .  # which chapter this is nearest to
\`\`\`

\`pnpm -C ../..\` stands for the repository's folder: there, \`pnpm practice ${number} --check\` is enough.
`
}

/** What is said of programs that are back from earlier chapters. */
function backAgain(chapter: Chapter, before: Chapter): string {
  const back = [...filesBack(before, chapter)].filter(([file]) => file.endsWith('.ts'))
  const homes = [...new Set(back.map(([, home]) => home.name))]
  const told = homes.map((name) => {
    const files = back.filter(([, home]) => home.name === name).map(([file]) => `\`${file}\``)
    return `${files.join(', ')} of ${name}`
  })
  return told.length > 0 ? ` Back again, and here already, are ${told.join('; ')}.` : ''
}

/** The README's section "What you will learn", with its links leading to the same places from here; else its sentence in package.json. */
function goalOf({ name, teaches }: Chapter): string {
  const { text, tree } = readReadme(`chapters/${name}/README.md`)
  const start = tree.children.findIndex(
    (node) => node.type === 'heading' && sliceOf(text, node).includes('What you will learn'),
  )
  if (start < 0) return `${teaches}.`
  const length = tree.children.slice(start + 1).findIndex(({ type }) => type === 'heading')
  const body = tree.children.slice(start + 1, length < 0 ? undefined : start + 1 + length)
  const [first, last] = [body[0], body.at(-1)]
  if (!first || !last) return `${teaches}.`
  return text
    .slice(first.position?.start.offset, last.position?.end.offset)
    .replace(/\]\((?!\w+:|#)([^)]+)\)/g, (_, path) => `](${posix.join('../../chapters', name, path)})`)
    .replace(/\]\(#/g, `](../../chapters/${name}/README.md#`)
}

function sliceOf(text: string, node: ReturnType<typeof readReadme>['tree']['children'][number]): string {
  return text.slice(node.position?.start.offset, node.position?.end.offset)
}
