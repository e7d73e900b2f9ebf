import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { allChapters } from '@rpi-cluster/tutorial/chapters/chapters'
import { ROOT } from '@rpi-cluster/tutorial/workspace/repository'
import { slug } from 'github-slugger'
import { defineConfig } from 'vitepress'
import { chapterPage } from '../src/chapter-page.ts'
import { codeBlocks } from '../src/code-blocks.ts'
import { corePages, writeUntold } from '../src/core-pages.ts'
import { siteData } from '../src/data-plugin.ts'
import { describePage, iconLinks, writeForOthers } from '../src/head.ts'
import { headingLinks } from '../src/heading-links.ts'
import { byClasses, THEMES } from '../src/highlight.ts'
import { siteLinks } from '../src/links.ts'
import { offline } from '../src/offline.ts'
import { CORE_PAGE, pageOf, sidebar, WITHOUT_PAGES } from '../src/pages.ts'
import { search } from '../src/search.ts'
import { SITE_ADDRESS } from '../src/site-address.ts'

const vue = dirname(createRequire(import.meta.url).resolve('vue/package.json'))

const keeping = offline()

writeUntold()

export default defineConfig({
  title: 'Raspberry Pi cluster',
  description: 'Learn how a cluster of small computers works, one short program at a time.',
  lang: 'en',
  ...(SITE_ADDRESS && { base: SITE_ADDRESS.pathname, sitemap: { hostname: SITE_ADDRESS.href } }),
  transformPageData: describePage,
  transformHead: iconLinks,

  // The texts are the repository's own, where they are.
  srcDir: '..',
  srcExclude: WITHOUT_PAGES,
  rewrites: (file) => pageOf(file) ?? file,
  outDir: 'dist',
  cacheDir: '.vitepress/cache',

  // What all pages share is in one file, and not in each: a chapter more would make every page larger.
  metaChunk: true,

  async buildEnd(config) {
    await writeForOthers(config.outDir, config.site)
    await keeping.write(config)
  },

  markdown: {
    theme: THEMES,
    codeTransformers: [byClasses],
    // The texts' links to headings are those of a code host, which names them so.
    anchor: { slugify: (text) => slug(text) },
    config(md) {
      md.use(corePages).use(chapterPage).use(codeBlocks).use(headingLinks).use(siteLinks)
    },
  },

  vite: {
    plugins: [siteData(), keeping.plugin],
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
    search: { provider: 'local', options: search },
    externalLinkIcon: true,
  },

  // Below the bars that stay on top, on any width: VitePress's own, its local one and a chapter's tabs.
  scrollOffset: 176,
})
