/**
 * Gives the pages their data, each piece as a module that is loaded when a page needs it:
 *
 * - `virtual:site/chapters`: the list of chapters
 * - `virtual:site/parts`: the parts of the series, with those that are still to come
 * - `virtual:site/taste`: what the terminal showed in the run of the newest chapter
 * - `virtual:site/pieces`: functions that load the rest: the views of a chapter, the code of a module of the core, what
 *   is compared of a chapter and what it brought, a recording, a cluster to be run
 * - `virtual:site/live-worker`: where the program is that runs a node in the page
 * - `virtual:site/colors.css`: the colours of code
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allChapters, findChapter } from '@rpi-cluster/tutorial/chapters/chapters'
import { coreModules } from '@rpi-cluster/tutorial/chapters/growth'
import { PARTS } from '@rpi-cluster/tutorial/chapters/parts'
import { castLines, readCast } from '@rpi-cluster/tutorial/record/cast'
import type { WireRecording } from '@rpi-cluster/tutorial/record/wire'
import { readReadme } from '@rpi-cluster/tutorial/texts/readme'
import { ROOT } from '@rpi-cluster/tutorial/workspace/repository'
import type { Link } from 'mdast'
import { toString as textOf } from 'mdast-util-to-string'
import { visitParents } from 'unist-util-visit-parents'
import { createMarkdownRenderer, type MarkdownRenderer, type Plugin, type SiteConfig } from 'vitepress'
import { liveChapter, liveWorker } from '../live/bundle.ts'
import { chapterViews } from './chapter-views.ts'
import { shownSources, shownStep } from './comparison.ts'
import { COLORS_CSS, highlightLines } from './highlight.ts'
import type { ShownChapter, ShownFile, ShownPart, ShownRecording, ShownTaste } from './shown.ts'

const PREFIX = 'virtual:site/'

/** The kinds of pieces, and how each is made from the words of its address. */
type Makers = Record<string, (...words: string[]) => Promise<unknown> | unknown>

/** The plugin for Vite. */
export function siteData(): Plugin {
  let md: Promise<MarkdownRenderer> | undefined
  let siteConfig: SiteConfig
  let isServing = false

  const renderer = () =>
    (md ??= createMarkdownRenderer(siteConfig.srcDir, siteConfig.markdown, siteConfig.site.base))

  const makers: Makers = {
    core: (module) => shownFile(ROOT, `packages/core/src/${module}.ts`),
    sources: (chapter) => shownSources(findChapter(chapter ?? '')),
    step: async (chapter) => shownStep(findChapter(chapter ?? ''), await renderer()),
    views: async (chapter) =>
      chapterViews(findChapter(chapter ?? ''), await renderer(), siteConfig.site.base),
    recording: (chapter) => recordingOf(chapter ?? ''),
    live: (chapter) => liveChapter(findChapter(chapter ?? '')),
  }

  return {
    name: 'site-data',
    configResolved(config) {
      isServing = config.command === 'serve'
      siteConfig = (config as unknown as { vitepress: SiteConfig }).vitepress
    },
    resolveId: (id) => (id.startsWith(PREFIX) ? `\0${id}` : undefined),
    async load(id, { ssr = false } = {}) {
      if (!id.startsWith(`\0${PREFIX}`)) return undefined
      const [kind = '', ...words] = id.slice(PREFIX.length + 1).split('/')
      if (kind === 'chapters') return asModule(shownChapters())
      if (kind === 'parts') return asModule(PARTS satisfies readonly ShownPart[])
      if (kind === 'taste') return asModule(taste())
      if (kind === 'pieces') return piecesModule()
      if (kind === 'colors.css') return COLORS_CSS
      // Pages are rendered without their pieces at build time, but for what a browser without JavaScript shows.
      if (ssr && kind !== 'views') return 'export default undefined'
      if (kind === 'live-worker') {
        const source = await liveWorker(allChapters())
        if (isServing) return workerFromText(source)
        const file = this.emitFile({ type: 'asset', name: 'live-worker.js', source })
        return `export default import.meta.ROLLUP_FILE_URL_${file}`
      }
      const make = makers[kind]
      return make && asModule(await make(...words))
    },
    handleHotUpdate({ file, server }) {
      // Whatever changed below a chapter or in the core may stand in any of these modules.
      if (!/\/(chapters|packages\/core\/src|docs\/recordings)\//.test(file)) return
      for (const [id, module] of server.moduleGraph.idToModuleMap) {
        if (id.startsWith(`\0${PREFIX}`)) server.moduleGraph.invalidateModule(module)
      }
      server.ws.send({ type: 'full-reload' })
    },
  }
}

/** A module whose default export is this value. JSON.parse reads a large one faster than JavaScript is read. */
function asModule(value: unknown): string {
  return `export default JSON.parse(${JSON.stringify(JSON.stringify(value))})`
}

/** A program of a worker that is in no file: the server for who writes has none. */
function workerFromText(source: string): string {
  return `export default URL.createObjectURL(new Blob([${JSON.stringify(source)}], { type: 'text/javascript' }))`
}

/** Functions that load each piece: `pieces.code['03-sockets']()`. */
function piecesModule(): string {
  const chapters = allChapters()
  const names = chapters.map(({ name }) => name)
  const all: Record<string, string[]> = {
    core: coreModules(ROOT).map(({ name }) => name),
    sources: names,
    step: names,
    views: names,
    recording: names.filter((name) => existsSync(castOf(name))),
    live: chapters.flatMap((chapter) => (liveChapter(chapter) ? [chapter.name] : [])),
  }
  const kinds = Object.entries(all).map(([kind, keys]) => {
    const entries = keys.map(
      (key) => `${JSON.stringify(key)}: () => import(${JSON.stringify(`${PREFIX}${kind}/${key}`)})`,
    )
    return `export const ${kind} = {${entries.join(',\n')}}`
  })
  return kinds.join('\n')
}

function shownChapters(): ShownChapter[] {
  const modules = coreModules(ROOT)
  return allChapters().map(({ number, name, title, part, minutes, teaches, post, programs, live }) => ({
    number,
    name,
    title,
    part: part.number,
    minutes,
    teaches,
    programs: programs.map(({ name, formerly }) => ({ name, ...(formerly !== undefined && { formerly }) })),
    brings: modules.filter(({ bornIn }) => bornIn === number).map(({ name }) => name),
    ...(live !== true && { liveNeeds: live?.needs ?? 'what a page does not have' }),
    post: { address: post, title: postTitle(name, post) },
  }))
}

/** The run that the first page shows: that of the newest chapter that was recorded. */
function taste(): ShownTaste | null {
  const chapter = allChapters().findLast(({ name }) => existsSync(castOf(name)))?.name
  if (chapter === undefined) return null
  const lines = recordingOf(chapter).lines.map(({ text }) => text)
  return { chapter, text: lines.join('\n') }
}

/** What a chapter's README calls its post, where it links it. */
function postTitle(chapter: string, address: string): string {
  let title = address
  visitParents(readReadme(`chapters/${chapter}/README.md`).tree, 'link', (link: Link) => {
    if (link.url === address) title = textOf(link)
  })
  return title
}

async function shownFile(folder: string, file: string): Promise<ShownFile> {
  const text = readFileSync(join(folder, file), 'utf8')
  return { file, text, lines: await highlightLines(text.trimEnd(), file) }
}

const castOf = (chapter: string) => join(ROOT, 'docs/recordings', `${chapter}.cast`)

/** What `pnpm record` has written: the terminal, and what went over the wire, if anything did. */
function recordingOf(chapter: string): ShownRecording {
  const cast = readFileSync(castOf(chapter), 'utf8')
  const wire = castOf(chapter).replace(/cast$/, 'wire.json')
  return {
    cast,
    lines: castLines(readCast(cast)).map(({ at, text }) => ({ at, text })),
    ...(existsSync(wire) && { wire: JSON.parse(readFileSync(wire, 'utf8')) as WireRecording }),
  }
}
