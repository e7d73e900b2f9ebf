/**
 * Which texts of the repository are pages of the site, and where. The texts stay where they are, as the
 * READMEs of their folders; nothing is copied.
 */
import { allChapters, type Chapter } from '@rpi-cluster/tutorial/chapters'
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

/** Folders that have Markdown, none of which is a page. */
export const WITHOUT_PAGES = ['practice/**', '.changeset/**', 'docs/dist/**', '**/test/**', 'bench/**']

/** The path of a text's page below the site's base, such as `protocol/index.md`; nothing when it is no page. */
export function pageOf(file: string): string | undefined {
  const renamed = RENAMED[file]
  if (renamed) return renamed
  const chapter = /^chapters\/([^/]+)\/README\.md$/.exec(file)?.[1]
  if (chapter) return `chapters/${chapter}/index.md`
  const page = /^docs\/([\w-]+)\.md$/.exec(file)?.[1]
  return page && `${page}/index.md`
}

/** The address of a text's page, before the site's base is put in front: `/protocol/`. */
export function addressOf(file: string): string | undefined {
  const page = pageOf(file)
  return page && `/${page.replace(/index\.md$/, '')}`
}

/** Where the core's modules and their names are described. */
export const CORE_PAGE = '/core-by-chapter/'

/** `03: Sockets` */
export function titleOf({ number, title }: Pick<Chapter, 'number' | 'title'>): string {
  return `${String(number).padStart(2, '0')}: ${title}`
}

/** What stands at the side of every page. Its order is that of *previous* and *next*. */
export function sidebar(): DefaultTheme.SidebarItem[] {
  return [
    { items: [{ text: 'Start: set it up, run it', link: '/start/' }] },
    {
      text: 'Chapters',
      items: allChapters().map((chapter) => ({
        text: titleOf(chapter),
        link: `/chapters/${chapter.name}/`,
      })),
    },
    {
      text: 'Look things up',
      items: [
        { text: 'Compare chapters', link: '/compare/' },
        { text: 'The core by chapter', link: CORE_PAGE },
        { text: 'The protocol', link: '/protocol/' },
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
