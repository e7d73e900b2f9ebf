/**
 * Which texts of the repository are pages of the site, and where. The texts stay where they are, as the
 * READMEs of their folders; nothing is copied.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { allChapters, type Chapter } from '@rpi-cluster/tutorial/chapters/chapters'
import { coreModules } from '@rpi-cluster/tutorial/chapters/growth'
import { ROOT } from '@rpi-cluster/tutorial/workspace/repository'
import type { DefaultTheme } from 'vitepress'

/** Texts that are pages under another name than their own. */
const RENAMED: Record<string, string> = {
  'docs/index.md': 'index.md',
  'README.md': 'start/index.md',
  'CONTRIBUTING.md': 'contributing/index.md',
  'packages/core/README.md': 'core/index.md',
  'packages/core/CHANGELOG.md': 'core/changelog/index.md',
  'packages/tutorial/README.md': 'tutorial/index.md',
}

/** The texts about modules of the core: what each is for, how it works, why so. */
export const TEXTS = 'docs/core'

/** Modules that have no text have one here, made by the build (core-pages.ts). */
export const UNTOLD = 'docs/modules'

const MODULE = new RegExp(`^(?:${TEXTS}|${UNTOLD})/([\\w-]+)\\.md$`)

/** Folders that have Markdown, none of which is a page. */
export const WITHOUT_PAGES = ['practice/**', '.changeset/**', 'docs/dist/**', '**/test/**', 'bench/**']

/** The path of a text's page below the site's base, such as `protocol/index.md`; nothing when it is no page. */
export function pageOf(file: string): string | undefined {
  const renamed = RENAMED[file]
  if (renamed) return renamed
  const chapter = chapterOf(file)
  if (chapter) return `chapters/${chapter}/index.md`
  const module = moduleOf(file)
  if (module) return `core/${module}/index.md`
  const page = /^docs\/([\w-]+)\.md$/.exec(file)?.[1]
  return page && `${page}/index.md`
}

/** The chapter whose README a text is: `03-sockets`. */
export function chapterOf(file: string): string | undefined {
  return /^chapters\/([^/]+)\/README\.md$/.exec(file)?.[1]
}

/** The module of the core that a text is about. */
export function moduleOf(file: string): string | undefined {
  return MODULE.exec(file)?.[1]
}

/** The address of a text's page, before the site's base is put in front: `/protocol/`. */
export function addressOf(file: string): string | undefined {
  const page = pageOf(file)
  return page && `/${page.replace(/index\.md$/, '')}`
}

/** The list of the core's modules, by the chapter that brought them. */
export const CORE_PAGE = '/core-by-chapter/'

/** The address of a module of the core, or of a name that it has: `/core/listening/#name.listen`. */
export function coreAddress(module: string, symbol?: string): string {
  return `/core/${module}/${symbol ? `#${symbolId(symbol)}` : ''}`
}

/** The id of a name in the page of its module: `name.Connection.write`. No heading's id has a point, not that of a module named as what it exports. */
export function symbolId(symbol: string): string {
  return `name.${symbol}`
}

/** `03: Sockets` */
export function titleOf({ number, title }: Pick<Chapter, 'number' | 'title'>): string {
  return `${String(number).padStart(2, '0')}: ${title}`
}

/** What comes before and after a page: the order is that of the list at the side, with all modules in it. */
export function neighboursOf(file: string): {
  prev?: DefaultTheme.SidebarItem
  next?: DefaultTheme.SidebarItem
} {
  const pages = sidebar(moduleGroups()).flatMap(leaves)
  const at = pages.findIndex(({ link }) => link === addressOf(file))
  if (at < 0) return {}
  const [prev, next] = [pages[at - 1], pages[at + 1]]
  return { ...(prev && { prev }), ...(next && { next }) }
}

function leaves(item: DefaultTheme.SidebarItem): DefaultTheme.SidebarItem[] {
  return item.items ? item.items.flatMap(leaves) : [item]
}

/**
 * What stands at the side of every page. The modules of the core are not there: there are more of them than of all else,
 * and each would make every page larger. A page of their own lists them.
 *
 * @param modules what stands where they would, in the order of reading
 */
export function sidebar(modules?: DefaultTheme.SidebarItem[]): DefaultTheme.SidebarItem[] {
  return [
    { items: [{ text: 'Start: set it up, run it', link: '/start/' }] },
    ...chapterGroups(),
    ...(modules ? [{ text: 'Modules of the core', collapsed: true, items: modules }] : []),
    {
      text: 'Look things up',
      items: [
        { text: 'Compare chapters', link: '/compare/' },
        { text: 'The lab: make faults', link: '/lab/' },
        { text: 'The core by chapter', link: CORE_PAGE },
        { text: 'The protocol', link: '/protocol/' },
        { text: 'Who may do what', link: '/threat-model/' },
        { text: 'Glossary', link: '/glossary/' },
        { text: 'Benchmarks', link: '/benchmarks/' },
        { text: 'Chapters and posts', link: '/posts/' },
      ],
    },
    {
      text: 'On your own machines',
      items: [
        { text: 'Real Pis', link: '/real-pis/' },
        { text: 'When something does not work', link: '/troubleshooting/' },
      ],
    },
    {
      text: 'For contributors',
      items: [
        { text: 'Contributing', link: '/contributing/' },
        { text: 'Decisions', link: '/decisions/' },
        { text: 'The core as a package', link: '/core/' },
        { text: 'Changelog of the core', link: '/core/changelog/' },
        { text: 'The tutorial tool', link: '/tutorial/' },
      ],
    },
  ]
}

/**
 * The chapters below their parts. Of several parts only that is open which has the page: VitePress opens it, and
 * leaves the others to whoever wants them.
 */
function chapterGroups(): DefaultTheme.SidebarItem[] {
  const chapters = allChapters()
  const parts = [...new Set(chapters.map(({ part }) => part))]
  return parts.map((part) => ({
    text: `Part ${part.number}: ${part.title}`,
    collapsed: parts.length > 1,
    items: chapters
      .filter((chapter) => chapter.part === part)
      .map((chapter) => ({ text: onOneLine(titleOf(chapter)), link: `/chapters/${chapter.name}/` })),
  }))
}

/** A title that may be cut off where it is too long for its line; whoever points at it sees all of it. */
function onOneLine(title: string): string {
  const text = title.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)
  return `<span class="on-one-line" title="${text}">${text}</span>`
}

/** The modules of the core below the chapter that brought them; those that have a text of their own first. */
function moduleGroups(): DefaultTheme.SidebarItem[] {
  const hasText = (name: string) => existsSync(join(ROOT, TEXTS, `${name}.md`))
  return allChapters().flatMap((chapter) => {
    const modules = coreModules(ROOT)
      .filter(({ bornIn }) => bornIn === chapter.number)
      .map(({ name }) => name)
    if (modules.length === 0) return []
    const sorted = [...modules.filter(hasText), ...modules.filter((name) => !hasText(name))]
    return {
      text: onOneLine(`Since ${titleOf(chapter)}`),
      collapsed: true,
      items: sorted.map((module) => ({ text: module, link: coreAddress(module) })),
    }
  })
}
