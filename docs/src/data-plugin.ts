/**
 * Gives the pages their data, each piece as a module that is loaded when a page needs it:
 *
 * - `virtual:site/chapters`: the list of chapters
 * - `virtual:site/pieces`: functions that load the rest: the code of a chapter or of a module of the core,
 *   a comparison, a recording
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { castLines, readCast } from '@rpi-cluster/tutorial/cast'
import { allChapters, type Chapter, findChapter } from '@rpi-cluster/tutorial/chapters'
import { coreModules } from '@rpi-cluster/tutorial/growth'
import { readReadme } from '@rpi-cluster/tutorial/readme'
import { ROOT, trackedFiles } from '@rpi-cluster/tutorial/repository'
import type { WireRecording } from '@rpi-cluster/tutorial/wire'
import type { Link } from 'mdast'
import { toString as textOf } from 'mdast-util-to-string'
import { visitParents } from 'unist-util-visit-parents'
import { createMarkdownRenderer, type MarkdownRenderer, type Plugin, type SiteConfig } from 'vitepress'
import { shownComparison } from './comparison.ts'
import { highlightLines } from './highlight.ts'
import type { ShownChapter, ShownFile, ShownRecording } from './shown.ts'

const PREFIX = 'virtual:site/'

/** The kinds of pieces, and how each is made from the words of its address. */
type Makers = Record<string, (...words: string[]) => Promise<unknown> | unknown>

/** The plugin for Vite. */
export function siteData(): Plugin {
  let md: Promise<MarkdownRenderer> | undefined
  let siteConfig: SiteConfig

  const makers: Makers = {
    code: (chapter) => codeOf(findChapter(chapter ?? '')),
    core: (module) => shownFile(ROOT, `packages/core/src/${module}.ts`),
    comparison: async (before, after) => {
      md ??= createMarkdownRenderer(siteConfig.srcDir, siteConfig.markdown, siteConfig.site.base)
      return shownComparison(findChapter(before ?? ''), findChapter(after ?? ''), await md)
    },
    recording: (chapter) => recordingOf(chapter ?? ''),
  }

  return {
    name: 'site-data',
    configResolved(config) {
      siteConfig = (config as unknown as { vitepress: SiteConfig }).vitepress
    },
    resolveId: (id) => (id.startsWith(PREFIX) ? `\0${id}` : undefined),
    async load(id, { ssr = false } = {}) {
      if (!id.startsWith(`\0${PREFIX}`)) return undefined
      const [kind = '', ...words] = id.slice(PREFIX.length + 1).split('/')
      if (kind === 'chapters') return asModule(shownChapters())
      if (kind === 'pieces') return piecesModule()
      // Pages are rendered without their pieces at build time: a browser loads them.
      if (ssr) return 'export default undefined'
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

/** Functions that load each piece: `pieces.code['03-sockets']()`. */
function piecesModule(): string {
  const chapters = allChapters()
  const names = chapters.map(({ name }) => name)
  const pairs = names.flatMap((before) =>
    names.filter((after) => after !== before).map((after) => `${before}/${after}`),
  )
  const all: Record<string, string[]> = {
    code: names,
    core: coreModules(ROOT).map(({ name }) => name),
    comparison: pairs,
    recording: names.filter((name) => existsSync(castOf(name))),
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
  return allChapters().map(({ number, name, title, teaches, post }) => ({
    number,
    name,
    title,
    teaches,
    post: { address: post, title: postTitle(name, post) },
  }))
}

/** What a chapter's README calls its post, where it links it. */
function postTitle(chapter: string, address: string): string {
  let title = address
  visitParents(readReadme(`chapters/${chapter}/README.md`).tree, 'link', (link: Link) => {
    if (link.url === address) title = textOf(link)
  })
  return title
}

/** The programs of a chapter in the order of its package.json, then what they share, then the configuration. */
async function codeOf({ folder, programs }: Chapter): Promise<ShownFile[]> {
  const sources = trackedFiles(folder).filter((file) => /^src\/|\.cfg$/.test(file))
  const rank = (file: string) => {
    const program = programs.indexOf(file.replace(/^src\/|\.ts$/g, ''))
    if (program >= 0) return program
    return file.endsWith('.cfg') ? Infinity : programs.length
  }
  return Promise.all(sources.sort((a, b) => rank(a) - rank(b)).map((file) => shownFile(folder, file)))
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
