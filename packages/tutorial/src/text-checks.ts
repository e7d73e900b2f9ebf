/**
 * What every text of the repository promises, as far as it can be checked without running anything:
 * its code blocks are what stands in the sources, its links lead somewhere, its commands exist.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import GithubSlugger from 'github-slugger'
import type { Link } from 'mdast'
import { toString as textOf } from 'mdast-util-to-string'
import { visitParents } from 'unist-util-visit-parents'
import { allChapters } from './chapters.ts'
import { Comparison } from './comparison.ts'
import { type CodeBlock, cut, type Readme, ReadmeProblem, readReadme } from './readme.ts'
import { ROOT, trackedFiles } from './repository.ts'
import { symbolsOf } from './source.ts'

/** Languages whose blocks show this repository's code, unless they say `example`. */
const CODE = new Set(['ts', 'js', 'ini', 'diff'])

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
  return trackedFiles(ROOT).filter(
    (file) => file.endsWith('.md') && !/CHANGELOG\.md$|^\.changeset\//.test(file),
  )
}

/** Everything that is wrong with a text, a line each, beginning with its file and line. */
export function problemsOf(file: string): string[] {
  const readme = readReadme(file)
  return [...staleBlocks(readme), ...brokenLinks(readme), ...unknownScripts(readme)]
}

/** Rewrites the code blocks of a text from the sources. Returns whether anything changed. */
export function syncBlocks(file: string): boolean {
  const { text, blocks } = readReadme(file)
  let synced = text
  for (const block of blocks.toReversed()) {
    if (!block.source) continue
    const wanted = contentOf(block, file)
    if (wanted !== block.content) synced = withContent(synced, block, wanted)
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

function staleBlocks({ file, blocks }: Readme): string[] {
  return blocks.flatMap((block) => {
    const where = `${file}:${block.line}`
    if (!block.source) {
      const isUnnamed = CODE.has(block.language) && !block.isExample
      return isUnnamed
        ? [
            `${where}: this ${block.language} block says neither which file it is cut from (file=...), nor that it is an example`,
          ]
        : []
    }
    try {
      const wanted = contentOf(block, file)
      if (wanted === block.content) return []
      return [
        `${where}: the block from ${block.source.file} is stale (pnpm sync mends it): ${firstDifference(block.content, wanted)}`,
      ]
    } catch (error) {
      if (error instanceof ReadmeProblem) return [`${where}: ${error.message}`]
      throw error
    }
  })
}

/** What a block is to show. */
function contentOf({ language, source }: CodeBlock, readme: string): string {
  if (!source) throw new ReadmeProblem('the block names no file')
  return language === 'diff' ? changeIn(source, readme) : cut(source).content
}

/** The change of a file against the chapter before that has the text of `at`, as lines that begin with `-` and `+`. */
function changeIn({ file, at }: { file: string; at?: string }, readme: string): string {
  const chapters = allChapters()
  const index = chapters.findIndex(({ name }) => readme === `chapters/${name}/README.md`)
  const [before, after] = [chapters[index - 1], chapters[index]]
  if (!before || !after)
    throw new ReadmeProblem('only the README of a chapter that has one before it can show a change')
  const comparison = new Comparison(before, after)
  try {
    const own = relative(`chapters/${after.name}`, file)
    const hunk = comparison
      .hunks('own')
      .find(
        (hunk) =>
          hunk.file === own &&
          [...hunk.removed, ...hunk.added].some((line) => at === undefined || line.includes(at)),
      )
    if (!hunk)
      throw new ReadmeProblem(`no change of ${own} against ${before.name} has the text ${JSON.stringify(at)}`)
    return [...hunk.removed.map((line) => `-${line}`), ...hunk.added.map((line) => `+${line}`)].join('\n')
  } finally {
    comparison.dispose()
  }
}

function firstDifference(shown: string, wanted: string): string {
  const lines = shown.split('\n')
  const wantedLines = wanted.split('\n')
  const index = wantedLines.findIndex((line, index) => line !== lines[index])
  if (index < 0) return `it has ${lines.length - wantedLines.length} lines too many at its end`
  return `its line ${index + 1} is ${JSON.stringify(lines[index] ?? '')}, the source has ${JSON.stringify(wantedLines[index])}`
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
    if (filter) folder = packageFolders().get(filter) ?? ''
    if (filter && !folder) return `there is no package ${filter}`
  }
  const script = words[0] === 'run' ? words[1] : words[0]
  if (script === undefined || OF_PNPM.has(script)) return undefined
  const { scripts = {} } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'))
  return script in scripts
    ? undefined
    : `pnpm ${script} is no script of ${folder === '.' ? 'the repository' : folder}`
}

/** Where each package of the workspace is, by its name. */
function packageFolders(): Map<string, string> {
  const manifests = trackedFiles(ROOT).filter((file) =>
    /^(packages|chapters)\/[^/]+\/package\.json$/.test(file),
  )
  return new Map(
    manifests.map((file) => [JSON.parse(readFileSync(join(ROOT, file), 'utf8')).name, dirname(file)]),
  )
}
