/**
 * The pages of the core: one for each module, and a list of them by the chapter that brought them. What a module
 * is for, how it works and why so is told by its text in docs/core, where it has one; its names, what they say of
 * themselves and who uses them comes from the sources.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { allChapters, type Chapter } from '@rpi-cluster/tutorial/chapters/chapters'
import { type CoreModule, coreModules } from '@rpi-cluster/tutorial/chapters/growth'
import { namesFromCore } from '@rpi-cluster/tutorial/texts/core-names'
import {
  type DocTag,
  importedNames,
  openingComment,
  reExportedNames,
  type SourceSymbol,
  symbolsOf,
} from '@rpi-cluster/tutorial/texts/source'
import { ROOT, repositoryFiles } from '@rpi-cluster/tutorial/workspace/repository'
import type { MarkdownRenderer } from 'vitepress'
import { once } from './once.ts'
import { coreAddress, moduleOf, symbolId, TEXTS, titleOf, UNTOLD } from './pages.ts'

/** Stands in the text of the list for all that is made here. */
const PLACE = /^<!-- the modules of the core -->$/m

/** What one knows of a module besides its text. */
interface Module extends CoreModule {
  source: string
  symbols: SourceSymbol[]
  /** The modules that it imports. */
  uses: string[]
  /** The names that it passes on, and the modules that declare them. */
  passesOn: ReadonlyMap<string, string>
}

/** Which chapter's programs first use what. */
interface Uses {
  /** By the name of a module that they import: `sockets`. */
  imports: ReadonlyMap<string, Chapter>
  /** By a module and a name that it declares: `listening#listen`. */
  names: ReadonlyMap<string, Chapter>
}

/**
 * Gives each module of the core that has no text in docs/core one with its name alone, below docs/modules, which
 * git ignores: VitePress makes a page of each text that it finds, and its search knows no others.
 */
export function writeUntold(): void {
  const folder = join(ROOT, UNTOLD)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  for (const { name } of coreModules(ROOT))
    if (!existsSync(join(ROOT, TEXTS, `${name}.md`))) writeFileSync(join(folder, `${name}.md`), `# ${name}\n`)
}

/** A plugin for VitePress's Markdown renderer, so that the search and the outline see it as any other text. */
export function corePages(md: MarkdownRenderer): void {
  md.core.ruler.before('normalize', 'core_pages', (state) => {
    if (state.inlineMode) return
    const { realPath, path = ROOT } = state.env as { realPath?: string; path?: string }
    const file = relative(ROOT, realPath ?? path)
    const name = moduleOf(file)
    const modules = name || PLACE.test(state.src) ? allModules() : []
    const module = modules.find((one) => one.name === name)
    if (module) {
      const told = file.startsWith(`${TEXTS}/`)
        ? ''
        : linkedIn(module, modules)(openingComment(module.source))
      state.src = [state.src.trimEnd(), told, reference(module, modules)].filter(Boolean).join('\n\n')
    }
    state.src = state.src.replace(PLACE, () => list(modules))
  })
}

/** The modules by chapter: first those that programs import, then those that these are made of. */
function list(modules: readonly Module[]): string {
  const chapters = allChapters()
  const { imports } = allUses()
  const items = (some: readonly Module[]) =>
    some
      .map(({ name, source }) => `- [\`${name}\`](${coreAddress(name)}): ${moduleInShort(source)}`)
      .join('\n')
  return chapters
    .map((chapter, index) => {
      const own = modules.filter(({ bornIn }) => bornIn === chapter.number)
      if (own.length === 0) return ''
      const behind = items(own.filter(({ name }) => !imports.has(name)))
      // A part begins with its first chapter that brought something.
      const before = chapters
        .slice(0, index)
        .findLast(({ number }) => modules.some((one) => one.bornIn === number))
      return [
        chapter.part !== before?.part && `## Part ${chapter.part.number}: ${chapter.part.title}`,
        `### [${titleOf(chapter)}](/chapters/${chapter.name}/) {#${chapter.name}}`,
        items(own.filter(({ name }) => imports.has(name))),
        behind && `What these are made of:\n\n${behind}`,
      ]
        .filter(Boolean)
        .join('\n\n')
    })
    .filter(Boolean)
    .join('\n\n')
}

/** What a module is for, in a sentence: the first of its opening comment, without its name where it begins with that. */
export function moduleInShort(source: string): string {
  const words = openingComment(source).replace(/\{@link ([\w.]+)\}/g, '`$1`')
  const sentence = (/^[\s\S]*?\.(?=\s|$)/.exec(words)?.[0] ?? words).replace(/\s+/g, ' ')
  const short = sentence.replace(/^[A-Z][\w-]*: /, '')
  return short.charAt(0).toUpperCase() + short.slice(1)
}

/** What the sources say of a module: where it stands, its names, its code. */
function reference(module: Module, modules: readonly Module[]): string {
  const { name, symbols } = module
  const uses = allUses()
  const linked = linkedIn(module, modules)
  const own = symbols.filter(({ name }) => !name.includes('.'))
  const told = (symbol: SourceSymbol) => symbolMarkdown(symbol, module, uses, linked)
  const forPrograms = own.filter(({ isPublic }) => isPublic)
  const forModules = own.filter(({ isInternal }) => isInternal)
  return [
    '## Where it stands',
    facts(module, modules, uses),
    forPrograms.length > 0 && '## Its names',
    ...forPrograms.map(told),
    forModules.length > 0 && '## For other modules',
    forModules.length > 0 &&
      'Programs have no use for these, which other modules of the core build on. They may change at any time.',
    ...forModules.map(told),
    '## The source',
    `<CoreSource module="${name}" />`,
  ]
    .filter(Boolean)
    .join('\n\n')
}

function facts({ name, bornIn, uses, passesOn }: Module, modules: readonly Module[], used: Uses): string {
  const chapters = allChapters()
  const born = chapters.find(({ number }) => number === bornIn)
  const links = (names: readonly string[]) =>
    names.map((name) => `[\`${name}\`](${coreAddress(name)})`).join(', ')
  const users = modules.filter((other) => other.uses.includes(name)).map(({ name }) => name)
  const first = used.imports.get(name)
  const givers = modules.filter(({ passesOn }) => [...passesOn.values()].includes(name))
  const names = [...passesOn].map(([name, from]) => `[\`${name}\`](${coreAddress(from, name)})`)
  return [
    born && `Came with chapter ${chapterLink(born)}.`,
    first
      ? `First used by chapter ${chapterLink(first)}.`
      : givers.length > 0
        ? `Programs import its names from ${links(givers.map(({ name }) => name))}.`
        : 'No program of a chapter imports it: other modules do.',
    names.length > 0 && `Programs import from it ${names.join(', ')}, which other modules declare.`,
    uses.length > 0 && `Builds on ${links(uses)}.`,
    users.length > 0 && `Used by ${links(users)}.`,
  ]
    .filter(Boolean)
    .map((fact) => `- ${fact}`)
    .join('\n')
}

function symbolMarkdown(
  symbol: SourceSymbol,
  { name: module, symbols }: Module,
  { names }: Uses,
  linked: (words: string) => string,
): string {
  const members = symbols.filter(
    ({ name, isPublic, isInternal }) => name.startsWith(`${symbol.name}.`) && (isPublic || isInternal),
  )
  const first = names.get(`${module}#${symbol.name}`)
  return [
    `### \`${symbol.name}\` {#${symbolId(symbol.name)}}`,
    `\`\`\`ts\n${signatureOf(symbol)}\n\`\`\``,
    linked(symbol.doc),
    tagList(symbol.tags, linked),
    ...members.map((member) => memberMarkdown(member, linked)),
    first && `First used by chapter ${chapterLink(first)}.`,
  ]
    .filter(Boolean)
    .join('\n\n')
}

/** A member of a class or an interface, as an item of a list. A link may lead to it. */
function memberMarkdown(
  { name, signature, doc, tags }: SourceSymbol,
  linked: (words: string) => string,
): string {
  const code = signature.replace(/\s+/g, ' ')
  const words = [linked(doc), tagList(tags, linked)].filter(Boolean).join('\n\n')
  return `- <span id="${symbolId(name)}"></span>\`${code}\`\n\n${words.replace(/^(?=.)/gm, '  ')}`
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

function chapterLink(chapter: Chapter): string {
  return `[${titleOf(chapter)}](/chapters/${chapter.name}/)`
}

/** Makes `{@link send}` in a module's comment a link to its place, in this module or in one that it imports; HTML in a comment is text. */
function linkedIn(module: Module, modules: readonly Module[]): (words: string) => string {
  const homes = [module, ...modules.filter(({ name }) => module.uses.includes(name)), ...modules]
  return (words) =>
    words.replace(/<(?=[a-z/])/gi, '&lt;').replace(/\{@link ([\w.]+)\}/g, (_, name: string) => {
      const home = homes.find(({ symbols }) =>
        symbols.some((symbol) => symbol.name === name && (symbol.isPublic || symbol.isInternal)),
      )
      return home ? `[\`${name}\`](${coreAddress(home.name, name)})` : `\`${name}\``
    })
}

/** Each page asks for these: read anew every time, the build would grow with the square of the modules. */
const allModules = once(readModules)
const allUses = once(() => usesOf(allChapters()))

/** All modules of the core, oldest first. */
function readModules(): Module[] {
  return coreModules(ROOT).map(({ name, bornIn }) => {
    const source = readFileSync(join(ROOT, 'packages/core/src', `${name}.ts`), 'utf8')
    const passesOn = new Map(
      [...reExportedNames(source)].map(([name, specifier]) => [name, importedModule(specifier) ?? '']),
    )
    const imported = [...importedNames(source).keys()].flatMap((specifier) => importedModule(specifier) ?? [])
    const uses = [...new Set([...imported, ...passesOn.values()])].sort()
    return { name, bornIn, source, symbols: symbolsOf(source), uses, passesOn }
  })
}

/** `./turns.ts` to `turns`. */
function importedModule(specifier: string): string | undefined {
  return /^\.\/([\w-]+)\.ts$/.exec(specifier)?.[1]
}

function usesOf(chapters: readonly Chapter[]): Uses {
  const imports = new Map<string, Chapter>()
  const names = new Map<string, Chapter>()
  const add = (uses: Map<string, Chapter>, key: string, chapter: Chapter) => {
    if (!uses.has(key)) uses.set(key, chapter)
  }
  for (const chapter of chapters) {
    const src = join(chapter.folder, 'src')
    for (const file of repositoryFiles(src)) {
      const text = readFileSync(join(src, file), 'utf8')
      for (const specifier of importedNames(text).keys())
        add(imports, specifier.replace('@rpi-cluster/core/', ''), chapter)
      for (const [module, some] of namesFromCore(text))
        for (const name of some) add(names, `${module}#${name}`, chapter)
    }
  }
  return { imports, names }
}
