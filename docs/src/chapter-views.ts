/**
 * What stands in a chapter's page behind its README, as HTML: its code, its changes, and the text of its run. It is
 * there for whoever has no JavaScript, and for whoever switches to it, at once.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allChapters, type Chapter } from '@rpi-cluster/tutorial/chapters/chapters'
import { configFilesOf } from '@rpi-cluster/tutorial/chapters/ports'
import { castLines, readCast } from '@rpi-cluster/tutorial/record/cast'
import { ROOT, repositoryFiles } from '@rpi-cluster/tutorial/workspace/repository'
import type { MarkdownRenderer } from 'vitepress'
import { changesHtml } from './changes-html.ts'
import { shownComparison } from './comparison.ts'
import { highlightLines } from './highlight.ts'
import { siteAddress } from './links.ts'
import type { ShownViews } from './shown.ts'
import { terminalLines } from './terminal.ts'

/** The views of a chapter beside its README. */
export async function chapterViews(
  chapter: Chapter,
  md: MarkdownRenderer,
  base: string,
): Promise<ShownViews> {
  return {
    code: await codeHtml(chapter, base),
    changes: await changesOf(chapter, md, base),
    run: transcriptHtml(chapter),
  }
}

/** The programs of a chapter in the order of its package.json, then what they share, then the configuration. */
function sourcesOf(chapter: Chapter): string[] {
  const { folder, programs } = chapter
  const configs = configFilesOf(chapter)
  const sources = repositoryFiles(folder).filter((file) => file.startsWith('src/') || configs.includes(file))
  const rank = (file: string) => {
    const program = programs.findIndex(({ name }) => file === `src/${name}.ts`)
    if (program >= 0) return program
    return configs.includes(file) ? Infinity : programs.length
  }
  return sources.sort((a, b) => rank(a) - rank(b))
}

async function codeHtml(chapter: Chapter, base: string): Promise<string> {
  const files = sourcesOf(chapter).map(async (file) => {
    const text = readFileSync(join(chapter.folder, file), 'utf8')
    const lines = await highlightLines(text.trimEnd(), file)
    const numbered = lines.map(
      (line, index) => `<span class="line" data-n="${index + 1}">${withLinks(line, base)}\n</span>`,
    )
    return [
      `<section class="file" aria-label="${file}" id="${file}" data-file="${file}">`,
      `<header><h2>${file}</h2>${copyButton(file)}</header>`,
      `<pre class="code numbered"><code>${numbered.join('')}</code></pre>`,
      '</section>',
    ].join('\n')
  })
  return (await Promise.all(files)).join('\n')
}

/** As CopyButton.vue is: what it copies stands beside it. */
function copyButton(what: string): string {
  return `<button type="button" class="small-button needs-scripts" data-copy>Copy<span class="visually-hidden"> ${what}</span></button> <span class="copied" role="status"></span>`
}

/** A line whose import of a module of the core leads to what the module has. */
function withLinks(html: string, base: string): string {
  return html.replace(/@rpi-cluster\/core\/([\w-]+)/g, (specifier, module) => {
    const address = siteAddress(`packages/core/src/${module}.ts`, 'README.md')
    return address ? `<a href="${base}${address.slice(1)}">${specifier}</a>` : specifier
  })
}

async function changesOf(chapter: Chapter, md: MarkdownRenderer, base: string): Promise<string> {
  const chapters = allChapters()
  const before = chapters[chapters.findIndex(({ name }) => name === chapter.name) - 1]
  if (!before) return '<p>This is the first chapter: nothing came before it.</p>'
  const compare = `${base}compare/?from=${before.name}&amp;to=${chapter.name}`
  return [
    `<p>From ${before.name} to ${chapter.name}. What the text says of a change stands above it.`,
    `<a class="needs-scripts" href="${compare}">Compare other chapters</a></p>`,
    changesHtml(await shownComparison(before, chapter, md), (module, name) => {
      const address =
        siteAddress(`packages/core/src/${module}.ts${name ? `#${name}` : ''}`, 'README.md') ?? '/'
      return `${base}${address.slice(1)}`
    }),
  ].join('\n')
}

/** The recorded run, as text. */
function transcriptHtml(chapter: Chapter): string {
  const cast = join(ROOT, 'docs/recordings', `${chapter.name}.cast`)
  if (!existsSync(cast)) return ''
  const text = castLines(readCast(readFileSync(cast, 'utf8')))
    .map(({ text }) => text)
    .join('\n')
  const { lines } = terminalLines(text, chapter)
  return `<pre class="code terminal"><code>${lines.replace(/\n<\/(kbd|samp)>$/, '</$1>')}</code></pre>`
}
