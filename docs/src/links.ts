/**
 * Turns the links of a text, which lead to files of the repository, into links of the site: a text's
 * page, a symbol's place in the core, a program's place in its chapter. What the site does not show
 * stays as a name.
 */
import { dirname, join, relative } from 'node:path'
import { ROOT } from '@rpi-cluster/tutorial/workspace/repository'
import type { MarkdownRenderer } from 'vitepress'
import { addressOf, coreAddress } from './pages.ts'

/** What VitePress says of the text that is rendered. */
interface Environment {
  /** The absolute path of the text. */
  path?: string
  realPath?: string
}

/** A plugin for VitePress's Markdown renderer. */
export function siteLinks(md: MarkdownRenderer): void {
  md.core.ruler.push('site_links', ({ tokens, env }) => {
    const { realPath, path } = env as Environment
    const file = realPath ?? path
    if (!file) return
    for (const { children } of tokens) {
      const open: { tag: string }[] = []
      for (const token of children ?? []) {
        if (token.type === 'link_open') {
          const href = token.attrGet('href') ?? ''
          const address = siteAddress(href, relative(ROOT, file))
          if (address !== undefined) token.attrSet('href', address)
          else {
            token.tag = 'span'
            token.type = 'span_open'
            token.attrs = [['title', 'A file of the repository']]
          }
          open.push(token)
        } else if (token.type === 'link_close') {
          const { tag = 'a' } = open.pop() ?? {}
          if (tag === 'span') {
            token.tag = 'span'
            token.type = 'span_close'
          }
        }
      }
    }
  })
}

/**
 * Where a link of a text leads on the site.
 *
 * @param href the link as the text has it
 * @param from the text, counted from the repository
 * @returns nothing when the site does not show what it leads to
 */
export function siteAddress(href: string, from: string): string | undefined {
  if (/^[a-z]+:/i.test(href) || href.startsWith('/') || href.startsWith('#')) return href
  const [path = '', fragment] = href.split('#')
  const target = join(dirname(from), decodeURIComponent(path))

  const page = addressOf(target)
  if (page) return fragment ? `${page}#${fragment}` : page

  const module = /^packages\/core\/src\/([\w-]+)\.ts$/.exec(target)?.[1]
  if (module) return coreAddress(module, fragment)

  const program = /^(chapters\/[^/]+)\/(src\/[\w-]+\.ts|rpicluster\.(?:cfg|json))$/.exec(target)
  return program ? `/${program[1]}/?view=code#${program[2]}` : undefined
}
