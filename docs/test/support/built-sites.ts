/** Before all tests: builds the site for two bases, one with the address where it would be, and serves both as plain files. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { execa } from 'execa'
import type { TestProject } from 'vitest/node'
import { findChromium } from './chromium.ts'
import { serve } from './serve.ts'

/** A built site, and where it is served. */
export interface Site {
  /** What its addresses begin with: `/` or `/x/`. */
  base: string
  /** The address of its first page: `http://127.0.0.1:40001/x/`. */
  url: string
  /** The folder of its files: an absolute path. */
  folder: string
}

declare module 'vitest' {
  interface ProvidedContext {
    chromium: string
    sites: Site[]
  }
}

const BASES = ['/', '/x/']

/** Where the site of the second base would be. No test asks anything of it: it is not there. */
export const ADDRESS = 'https://cluster.example/x/'

const DOCS = join(import.meta.dirname, '../..')

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const chromium = findChromium()
  if (!chromium) {
    console.error(
      'No Chromium here: `apt-get install chromium` (Debian) or `pnpm --dir docs exec playwright-core install chromium` installs one, and CHROMIUM=/path/to/it names another.',
    )
    process.exit(1)
  }

  // SITES=folder keeps what was built for the next run, for who writes tests: empty it when the site has changed.
  const kept = process.env['SITES']
  const folder = kept ? resolve(kept) : await mkdtemp(join(tmpdir(), 'site-'))
  const sites: (Site & { close(): Promise<void> })[] = []
  // One after the other: VitePress has one folder for what it builds from.
  for (const [index, base] of BASES.entries()) {
    const files = join(folder, String(index))
    if (!existsSync(files)) await build(base, files)
    sites.push({ base, folder: files, ...(await serve(files, base)) })
  }
  project.provide('chromium', chromium)
  project.provide(
    'sites',
    sites.map(({ base, url, folder }) => ({ base, url, folder })),
  )
  return async () => {
    await Promise.all(sites.map((site) => site.close()))
    if (!kept) await rm(folder, { recursive: true, force: true })
  }
}

/** As `SITE_ADDRESS=https://cluster.example/x/ pnpm site:build` does, or without an address where there is none, to another folder. */
async function build(base: string, outDir: string): Promise<void> {
  const { NODE_ENV: _, VITEST: __, SITE_ADDRESS: ___, ...own } = process.env
  const env = { ...own, ...(ADDRESS.endsWith(base) && base !== '/' && { SITE_ADDRESS: ADDRESS }) }
  const vitepress = join(DOCS, 'node_modules/vitepress/bin/vitepress.js')
  const args = ['--import', 'tsx', vitepress, 'build', '--base', base, '--outDir', outDir]
  await execa(process.execPath, args, { cwd: DOCS, env, extendEnv: false })
}
