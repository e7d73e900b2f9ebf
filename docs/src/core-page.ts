/** The page of the core: each module and its names, by the chapter that brought it, from the sources. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allChapters, type Chapter } from '@rpi-cluster/tutorial/chapters'
import { coreModules } from '@rpi-cluster/tutorial/growth'
import { ROOT, trackedFiles } from '@rpi-cluster/tutorial/repository'
import {
  type DocTag,
  importedNames,
  openingComment,
  type SourceSymbol,
  symbolsOf,
} from '@rpi-cluster/tutorial/source'
import type { MarkdownRenderer } from 'vitepress'
import { symbolId } from './links.ts'
import { titleOf } from './pages.ts'

/** Stands in the page's text for all that is made here. */
const PLACE = /^<!-- the modules of the core -->$/m

/** A plugin for VitePress's Markdown renderer, so that the search and the outline see it as any other text. */
export function corePage(md: MarkdownRenderer): void {
  md.core.ruler.before('normalize', 'core_page', (state) => {
    if (PLACE.test(state.src)) state.src = state.src.replace(PLACE, () => coreMarkdown())
  })
}

function coreMarkdown(): string {
  const chapters = allChapters()
  const uses = usesOf(chapters)
  return chapters
    .map((chapter) => {
      const modules = coreModules(ROOT).filter(({ bornIn }) => bornIn === chapter.number)
      if (modules.length === 0) return ''
      return [
        `## By chapter ${titleOf(chapter)}`,
        ...modules.map(({ name }) => moduleMarkdown(name, uses)),
      ].join('\n\n')
    })
    .join('\n\n')
}

function moduleMarkdown(module: string, uses: ReadonlyMap<string, Chapter>): string {
  const text = readFileSync(join(ROOT, 'packages/core/src', `${module}.ts`), 'utf8')
  const symbols = symbolsOf(text).filter(({ isPublic }) => isPublic)
  const names = new Set(symbols.map(({ name }) => name))
  const heading = (level: string, name: string, id: string) => `${level} ${name} {#${id}}`
  const linked = (words: string) => withLinks(words, module, names)
  const membersOf = (type: string) => symbols.filter(({ name }) => name.startsWith(`${type}.`))
  return [
    heading('###', module, symbolId(module)),
    linked(openingComment(text)),
    usedBy(uses.get(module), 'No program of a chapter uses it by itself: other modules do.'),
    ...symbols
      .filter(({ name }) => !name.includes('.'))
      .map((symbol) =>
        [
          heading('####', `\`${symbol.name}\``, symbolId(module, symbol.name)),
          `\`\`\`ts\n${signatureOf(symbol)}\n\`\`\``,
          linked(symbol.doc),
          tagList(symbol.tags, linked),
          ...membersOf(symbol.name).map((member) => memberMarkdown(member, module, linked)),
          usedBy(uses.get(`${module}#${symbol.name}`), ''),
        ]
          .filter(Boolean)
          .join('\n\n'),
      ),
    `<CoreSource module="${module}" />`,
  ].join('\n\n')
}

/** A member of a class or an interface, as an item of a list. A link may lead to it. */
function memberMarkdown(
  { name, signature, doc, tags }: SourceSymbol,
  module: string,
  linked: (words: string) => string,
): string {
  const code = signature.replace(/\s+/g, ' ')
  const words = [linked(doc), tagList(tags, linked)].filter(Boolean).join('\n\n')
  return `- <span id="${symbolId(module, name)}"></span>\`${code}\`\n\n${words.replace(/^(?=.)/gm, '  ')}`
}

/** A signature, without the doc comments of an interface's members: they follow with the members. */
function signatureOf({ signature }: SourceSymbol): string {
  return signature.replace(/^ *\/\*\*[\s\S]*?\*\/\n/gm, '')
}

function tagList(tags: readonly DocTag[], linked: (words: string) => string): string {
  const said: Record<string, string> = { returns: 'Returns', throws: 'Throws', param: 'Takes' }
  return tags
    .filter(({ name }) => name in said)
    .map(({ name, text }) => {
      const words = linked(text).replace(/\s*\n\s*/g, ' ')
      return `- **${said[name]}** ${name === 'param' ? words.replace(/^(\S+)/, '`$1`:') : words}`
    })
    .join('\n')
}

function usedBy(chapter: Chapter | undefined, otherwise: string): string {
  return chapter ? `First used by chapter [${titleOf(chapter)}](/chapters/${chapter.name}/).` : otherwise
}

/** `{@link send}` as a link to its place in the page; HTML in a comment is text. */
function withLinks(words: string, module: string, names: ReadonlySet<string>): string {
  return words
    .replace(/<(?=[a-z/])/gi, '&lt;')
    .replace(/\{@link ([\w.]+)\}/g, (_, name: string) =>
      names.has(name) ? `[\`${name}\`](#${symbolId(module, name)})` : `\`${name}\``,
    )
}

/** Which chapter's programs first use a module (`sockets`), and a name of it (`sockets#listen`). */
function usesOf(chapters: readonly Chapter[]): Map<string, Chapter> {
  const uses = new Map<string, Chapter>()
  for (const chapter of chapters) {
    const src = join(chapter.folder, 'src')
    for (const file of trackedFiles(src)) {
      for (const [specifier, names] of importedNames(readFileSync(join(src, file), 'utf8'))) {
        const module = /^@rpi-cluster\/core\/(.+)$/.exec(specifier)?.[1]
        if (!module) continue
        for (const key of [module, ...[...names].map((name) => `${module}#${name}`)]) {
          if (!uses.has(key)) uses.set(key, chapter)
        }
      }
    }
  }
  return uses
}
