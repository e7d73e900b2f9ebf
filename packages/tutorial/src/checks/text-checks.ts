/**
 * What every text of the repository promises, as far as it can be checked without running anything:
 * its code blocks are what stands in the sources, its links lead somewhere, its commands exist.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import GithubSlugger from 'github-slugger'
import type { Link } from 'mdast'
import { toString as textOf } from 'mdast-util-to-string'
import { visitParents } from 'unist-util-visit-parents'
import { filesBack } from '../chapters/back.ts'
import { allChapters, type Chapter } from '../chapters/chapters.ts'
import { TIMES_LINE } from '../chapters/times.ts'
import { contentOfPiece, type ShownPiece, shownPieces } from '../compare/shown-programs.ts'
import { type CodeBlock, cut, isOfChapter, type Readme, readReadme } from '../texts/readme.ts'
import { ReadmeProblem } from '../texts/readme-problem.ts'
import { symbolsOf } from '../texts/source.ts'
import { textOfFile } from '../workspace/files.ts'
import { ROOT, repositoryFiles } from '../workspace/repository.ts'
import { imageProblems } from './picture-checks.ts'
import { timesProblems } from './reading-times.ts'

/** How many words a chapter's README may have to the end of its exercises: what can be read in one go. */
const MOST_WORDS = 1200

/** Languages whose blocks show this repository's code, unless they say `example`. */
const CODE = new Set(['ts', 'js', 'ini', 'jsonc', 'diff'])

/** What pnpm does by itself, so that no script of that name is needed. */
const OF_PNPM = new Set([
  'add',
  'changeset',
  'deploy',
  'dlx',
  'exec',
  'install',
  'pack',
  'publish',
  'store',
  'vitest',
  'why',
])

/** Every text, counted from the repository; those that changesets write are left out. */
export function allTexts(): string[] {
  return repositoryFiles(ROOT).filter(
    (file) => file.endsWith('.md') && !/CHANGELOG\.md$|^\.changeset\//.test(file),
  )
}

/** Everything that is wrong with a text, a line each, beginning with its file and line. */
export function problemsOf(file: string): string[] {
  const readme = readReadme(file)
  return [
    ...staleBlocks(readme),
    ...unshownPrograms(readme),
    ...tooLong(readme),
    ...timesProblems(readme),
    ...brokenLinks(readme),
    ...imageProblems(readme),
    ...unknownScripts(readme),
  ]
}

/** Rewrites the code blocks of a text from the sources, but for those that {@link problemsOf} refuses. Returns whether anything changed. */
export function syncBlocks(file: string): boolean {
  const readme = readReadme(file)
  const { text, blocks } = readme
  const pieces = shownPieces(readme)
  let synced = text
  for (const block of blocks.toReversed()) {
    if (!block.source && !block.program) continue
    const wanted = contentOrProblem(block, pieces)
    if (wanted instanceof ReadmeProblem || wanted === block.content) continue
    synced = withContent(synced, block, wanted)
  }
  if (synced === text) return false
  writeFileSync(join(ROOT, file), synced)
  return true
}

/** A text with another content in one of its blocks. */
export function withContent(
  text: string,
  { range: [start, end], indent }: CodeBlock,
  content: string,
): string {
  const lines = content.split('\n').map((line) => (line ? indent + line : ''))
  return `${text.slice(0, start)}${lines.join('\n')}\n${text.slice(end)}`
}

function staleBlocks(readme: Readme): string[] {
  const { file, blocks } = readme
  const pieces = shownPieces(readme)
  return blocks.flatMap((block) => {
    const where = `${file}:${block.line}`
    const source = block.program?.file ?? block.source?.file
    if (source === undefined) {
      const isUnnamed = CODE.has(block.language) && !block.isExample
      return isUnnamed
        ? [
            `${where}: this ${block.language} block says neither which file it is cut from (file=..., program=...), nor that it is an example`,
          ]
        : []
    }
    const wanted = contentOrProblem(block, pieces)
    if (wanted instanceof ReadmeProblem) return [`${where}: ${wanted.message}`]
    if (wanted === block.content) return []
    return [
      `${where}: the block from ${source} is stale (pnpm sync mends it): ${firstDifference(block.content, wanted)}`,
    ]
  })
}

function contentOrProblem(
  block: CodeBlock,
  pieces: ReadonlyMap<CodeBlock, ShownPiece>,
): string | ReadmeProblem {
  try {
    return contentOf(block, pieces)
  } catch (error) {
    if (error instanceof ReadmeProblem) return error
    throw error
  }
}

/** What a block is to show. */
function contentOf(block: CodeBlock, pieces: ReadonlyMap<CodeBlock, ShownPiece>): string {
  const { language, source } = block
  const piece = pieces.get(block)
  if (piece instanceof ReadmeProblem) throw piece
  if (piece) {
    if (language !== 'diff' && piece.some(({ mark }) => mark !== ' '))
      throw new ReadmeProblem('lines of this piece are new, or gone, so it is a diff block')
    return contentOfPiece(piece, language)
  }
  if (!source) throw new ReadmeProblem('the block names no file')
  if (language === 'diff')
    throw new ReadmeProblem('a diff block shows a piece of a program, and names it: program=...')
  return cut(source).content
}

function firstDifference(shown: string, wanted: string): string {
  const lines = shown.split('\n')
  const wantedLines = wanted.split('\n')
  const index = wantedLines.findIndex((line, index) => line !== lines[index])
  if (index < 0) return `it has ${lines.length - wantedLines.length} lines too many at its end`
  return `its line ${index + 1} is ${JSON.stringify(lines[index] ?? '')}, the source has ${JSON.stringify(wantedLines[index])}`
}

/**
 * The programs of a chapter of which its README shows nothing. Of what it shows, the blocks show all. One that is back as
 * it was is shown where it was.
 */
function unshownPrograms({ file, blocks }: Readme): string[] {
  if (!isOfChapter(file)) return []
  const chapters = allChapters()
  const index = chapters.findIndex(({ name }) => file === `chapters/${name}/README.md`)
  const [before, chapter] = [chapters[index - 1], chapters[index]]
  if (!chapter) return []
  const back = before ? filesBack(before, chapter, chapters) : new Map<string, Chapter>()
  const isAsItWas = (source: string) => {
    const [then, now] = [back.get(source), chapter].map((one) => one && textOfFile(join(one.folder, source)))
    return then !== undefined && then === now
  }
  return chapter.programs
    .map(({ name }) => `src/${name}.ts`)
    .filter((source) => !isAsItWas(source))
    .map((source) => `chapters/${chapter.name}/${source}`)
    .filter((program) => !blocks.some((block) => block.program?.file === program))
    .map((program) => `${file}: it shows nothing of ${program}, whose pieces are blocks with program=...`)
}

/** A chapter's README that is longer than a reader has patience for. What fences say, what is said for an image, and how long it takes, is not read with it. */
function tooLong({ file, text }: Readme): string[] {
  if (!isOfChapter(file)) return []
  const [toTheExercises = ''] = text.split(/^## Questions$/m)
  const read = toTheExercises
    .replace(TIMES_LINE, '')
    .replace(/^<details>$[\s\S]*?^<\/details>$/gm, '') // a program that its reader knows, folded
    .replace(/^```.*$|!\[[^\]]*\]\([^)]*\)/gm, '')
  const words = read.match(/\S+/g)?.length ?? 0
  return words > MOST_WORDS
    ? [`${file}: it has ${words} words to the end of its exercises, and may have ${MOST_WORDS}`]
    : []
}

function brokenLinks({ file, tree }: Readme): string[] {
  const problems: string[] = []
  visitParents(tree, 'link', (node: Link) => {
    const why = whyBroken(node.url, file)
    if (why) problems.push(`${file}:${node.position?.start.line}: the link ${node.url} ${why}`)
  })
  return problems
}

function whyBroken(url: string, readme: string): string | undefined {
  if (/^[a-z]+:/i.test(url)) {
    return URL.canParse(url) && /^(https:|mailto:)/.test(url) ? undefined : 'is no https address'
  }
  const [path = '', fragment] = url.split('#')
  const target = path === '' ? readme : relative(ROOT, join(ROOT, dirname(readme), decodeURIComponent(path)))
  if (target.startsWith('..')) return 'leads out of the repository'
  if (!existsSync(join(ROOT, target))) return 'leads nowhere'
  if (!fragment) return undefined
  const text = readFileSync(join(ROOT, target), 'utf8')
  if (target.endsWith('.md'))
    return headingsOf(target).has(fragment) ? undefined : `names no heading of ${target}`
  if (!target.endsWith('.ts')) return undefined
  const names = new Set(['imports', ...symbolsOf(text).map(({ name }) => name)])
  return names.has(decodeURIComponent(fragment)) ? undefined : `names no symbol of ${target}`
}

function headingsOf(file: string): Set<string> {
  const slugger = new GithubSlugger()
  const headings = new Set<string>()
  visitParents(readReadme(file).tree, 'heading', (node) => {
    headings.add(slugger.slug(textOf(node)))
  })
  return headings
}

/** Commands of `sh` and `console` blocks whose script does not exist. */
function unknownScripts({ file, blocks }: Readme): string[] {
  return blocks
    .filter(({ language }) => language === 'sh' || language === 'console')
    .flatMap(({ content, line }) =>
      content.split('\n').flatMap((command, index) => {
        const why = whyUnknown(command)
        return why ? [`${file}:${line + 1 + index}: ${why}`] : []
      }),
    )
}

function whyUnknown(command: string): string | undefined {
  const words = /(?:^|\s)(?:npx -y pnpm@12|pnpm)\s+([^#|;&)]*)/.exec(command)?.[1]?.trim().split(/\s+/)
  if (!words) return undefined
  let folder = '.'
  while (words[0]?.startsWith('-')) {
    const option = words.shift() as string
    const filter = option === '--filter' ? words.shift() : /^--filter=(.*)/.exec(option)?.[1]
    if (filter) folder = folderOfPackage(filter) ?? ''
    if (filter && !folder) return `there is no package ${filter}`
  }
  const script = words[0] === 'run' ? words[1] : words[0]
  if (script === undefined || OF_PNPM.has(script)) return undefined
  const { scripts = {} } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'))
  return script in scripts
    ? undefined
    : `pnpm ${script} is no script of ${folder === '.' ? 'the repository' : folder}`
}

/** Where a package of the workspace is, counted from the repository. Nothing when there is none of that name. */
function folderOfPackage(name: string): string | undefined {
  return ['packages', 'chapters']
    .flatMap((rooms) => readdirSync(join(ROOT, rooms)).map((room) => `${rooms}/${room}`))
    .find((folder) => {
      const manifest = textOfFile(join(ROOT, folder, 'package.json'))
      return manifest !== undefined && JSON.parse(manifest).name === name
    })
}
