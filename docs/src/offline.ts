/**
 * Writes the service worker of a built site, by which a browser keeps what was read, and the part of the series around
 * it, for when there is no network. What belongs to which page is known from what Rollup has built.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { allChapters } from '@rpi-cluster/tutorial/chapters/chapters'
import type { Plugin, SiteConfig } from 'vitepress'

/** The name of the service worker, below the site's base. */
const NAME = 'service-worker.js'

type Bundle = Parameters<Extract<NonNullable<Plugin['generateBundle']>, (...args: never[]) => unknown>>[1]
type Chunk = Extract<Bundle[string], { type: 'chunk' }>

/** What is needed of the site for a part of it, as files counted from its folder. */
interface Needs {
  /** The frame of every page, and the first page. */
  shell: string[]
  /** By name: a part of the series, a page by itself, or `reading`, which is what every chapter needs. */
  groups: Record<string, string[]>
  /** The groups of each page, by its address below the base: `chapters/03-sockets/`. */
  pages: Record<string, string[]>
}

/** Notes what each page needs while the site is built, and writes the service worker when it is there. */
export function offline(): { plugin: Plugin; write(site: SiteConfig): void } {
  let bundle: Bundle = {}
  return {
    plugin: {
      name: 'offline',
      generateBundle(_, built) {
        // Not what pages are rendered with on this machine.
        if (Object.keys(built).some((file) => file.startsWith('assets/'))) bundle = { ...built }
      },
    },
    write({ srcDir, outDir, pages, rewrites }) {
      const addresses = pages.map(
        (page) => [join(srcDir, page), (rewrites.map[page] ?? page).replace(/index\.md$/, '')] as const,
      )
      writeServiceWorker(outDir, needsOf(bundle, outDir, new Map(addresses)))
    },
  }
}

/** @param addresses of the pages below the base, by the absolute paths of their texts */
function needsOf(bundle: Bundle, folder: string, addresses: ReadonlyMap<string, string>): Needs {
  const chunks = Object.values(bundle).filter((one) => one.type === 'chunk')
  // What every page asks for by name.
  const shell = new Set([
    '',
    ...['icon.svg', 'vp-icons.css'].filter((file) => existsSync(join(folder, file))),
  ])
  const withImports = (chunk: Chunk | undefined): string[] => {
    if (!chunk || shell.has(chunk.fileName)) return []
    const { fileName, imports, referencedFiles, viteMetadata } = chunk
    const lean = fileName.replace(/\.js$/, '.lean.js')
    return [
      fileName,
      ...(existsSync(join(folder, lean)) ? [lean] : []),
      ...(viteMetadata?.importedAssets ?? []),
      ...referencedFiles,
      ...imports.flatMap((other) => withImports(chunks.find(({ fileName }) => fileName === other))),
    ]
  }
  for (const chunk of chunks.filter(
    ({ isEntry, facadeModuleId }) => isEntry && !/\.md$/.test(facadeModuleId ?? ''),
  ))
    for (const file of withImports(chunk)) shell.add(file)
  for (const file of readdirSync(join(folder, 'assets')))
    if (/\.(css|woff2)$/.test(file)) shell.add(`assets/${file}`)
  // What all pages share of the site's description: VitePress writes it, past Rollup.
  for (const file of readdirSync(join(folder, 'assets/chunks')))
    if (file.startsWith('metadata.')) shell.add(`assets/chunks/${file}`)

  const needs: Needs = { shell: [], groups: {}, pages: {} }
  const add = (group: string, files: readonly string[]) => {
    needs.groups[group] = [...new Set([...(needs.groups[group] ?? []), ...files])]
  }
  const parts = new Map(allChapters().map(({ name, part }) => [name, `part ${part.number}`]))
  for (const chunk of chunks) {
    const piece = /^\0virtual:site\/(.*)/.exec(chunk.facadeModuleId ?? '')?.[1]
    const page = addresses.get(chunk.facadeModuleId ?? '')
    const chapter = /(?:^chapters\/|\/)([^/]+)\/?$/.exec(page ?? piece ?? '')?.[1] ?? ''
    const part = parts.get(chapter)
    if (page === '') for (const file of withImports(chunk)) shell.add(file)
    else if (page !== undefined) {
      add(part ?? page, [page, ...withImports(chunk)])
      needs.pages[page] = part ? [part, 'reading'] : [page]
    } else if (piece !== undefined && part) add(part, withImports(chunk))
    else if (piece === undefined && chunk.isDynamicEntry) add('reading', withImports(chunk))
  }
  needs.shell = [...shell]
  return needs
}

function writeServiceWorker(folder: string, needs: Needs): void {
  const version = createHash('sha256')
  const files = new Set([...needs.shell, ...Object.values(needs.groups).flat()])
  for (const file of [...files].sort())
    version.update(file).update(readFileSync(join(folder, /(^|\/)$/.test(file) ? `${file}index.html` : file)))
  const constants = Object.entries({ VERSION: version.digest('hex').slice(0, 16), ...upperCased(needs) })
  writeFileSync(
    join(folder, NAME),
    [
      ...constants.map(([name, value]) => `const ${name} = ${JSON.stringify(value)}`),
      readFileSync(join(import.meta.dirname, NAME), 'utf8'),
    ].join('\n'),
  )
}

function upperCased({ shell, groups, pages }: Needs) {
  return { SHELL: shell, GROUPS: groups, PAGES: pages }
}
