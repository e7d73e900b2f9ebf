import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { allChapters } from '@rpi-cluster/tutorial/chapters'
import { ROOT } from '@rpi-cluster/tutorial/repository'
import { slug } from 'github-slugger'
import { defineConfig } from 'vitepress'
import { chapterPage } from '../src/chapter-page.ts'
import { corePage } from '../src/core-page.ts'
import { siteData } from '../src/data-plugin.ts'
import { headingLinks } from '../src/heading-links.ts'
import { THEMES } from '../src/highlight.ts'
import { siteLinks } from '../src/links.ts'
import { writeServiceWorker } from '../src/offline.ts'
import { CORE_PAGE, pageOf, sidebar, WITHOUT_PAGES } from '../src/pages.ts'

/** A raspberry of circles, in the page itself: one request less, and right below any base. */
const ICON = `data:image/svg+xml,${encodeURIComponent(readFileSync(join(import.meta.dirname, 'icon.svg'), 'utf8'))}`

const vue = dirname(createRequire(import.meta.url).resolve('vue/package.json'))

export default defineConfig({
  title: 'Raspberry Pi cluster',
  description: 'Learn how a cluster of small computers works, one short program at a time.',
  lang: 'en',
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: ICON }]],

  // The texts are the repository's own, where they are.
  srcDir: '..',
  srcExclude: WITHOUT_PAGES,
  rewrites: (file) => pageOf(file) ?? file,
  outDir: 'dist',
  cacheDir: '.vitepress/cache',

  buildEnd: ({ outDir }) => writeServiceWorker(outDir),

  markdown: {
    theme: THEMES,
    // The texts' links to headings are those of a code host, which names them so.
    anchor: { slugify: (text) => slug(text) },
    config(md) {
      md.use(corePage).use(chapterPage).use(headingLinks).use(siteLinks)
    },
  },

  vite: {
    plugins: [siteData()],
    resolve: {
      // The texts lie outside this package, and find its libraries here.
      alias: [
        { find: /^vue\/server-renderer$/, replacement: join(vue, 'server-renderer/index.mjs') },
        { find: /^vue$/, replacement: join(vue, 'dist/vue.runtime.esm-bundler.js') },
      ],
    },
    define: { IS_BUILT: JSON.stringify(process.env['NODE_ENV'] === 'production') },
    server: { fs: { allow: [ROOT] } },
  },

  themeConfig: {
    nav: [
      { text: 'Start', link: '/start/' },
      {
        text: 'Chapters',
        link: `/chapters/${allChapters()[0]?.name}/`,
        activeMatch: '/chapters/',
      },
      { text: 'Compare', link: '/compare/' },
      { text: 'Core', link: CORE_PAGE, activeMatch: '/core' },
    ],
    sidebar: sidebar(),
    outline: { level: [2, 3] },
    search: {
      provider: 'local',
      options: {
        detailedView: true,
        miniSearch: {
          // Who looks a word up wants to know first what it means.
          searchOptions: { boostDocument: (id: string) => (id.includes('/glossary/') ? 4 : 1) },
        },
      },
    },
    externalLinkIcon: true,
  },
})
