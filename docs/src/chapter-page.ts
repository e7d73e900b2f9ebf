/**
 * Makes a chapter's README the first of the views that its page has, and says above each block of code
 * which file it is cut from.
 */
import { relative } from 'node:path'
import { ROOT } from '@rpi-cluster/tutorial/repository'
import type { MarkdownRenderer } from 'vitepress'
import { siteAddress } from './links.ts'

/** A plugin for VitePress's Markdown renderer. */
export function chapterPage(md: MarkdownRenderer): void {
  md.core.ruler.before('normalize', 'chapter_page', (state) => {
    if (state.inlineMode) return
    const chapter = /^chapters\/([^/]+)\/README\.md$/.exec(textOf(state.env))?.[1]
    if (chapter) state.src = `<ChapterPage name="${chapter}">\n\n${state.src}\n\n</ChapterPage>\n`
  })

  const fence = md.renderer.rules.fence
  if (!fence) throw new Error('The Markdown renderer has no rule for code blocks')
  md.renderer.rules.fence = (tokens, index, options, env, self) => {
    const token = tokens[index]
    // What a terminal shows is no code: coloured as a shell's, its words would look like keywords.
    if (token) token.info = token.info.replace(/^console\b/, 'text')
    const block = fence(tokens, index, options, env, self)
    const file = /\sfile=(\S+)/.exec(token?.info ?? '')?.[1]
    if (!file) return block
    // A path counts from the README's folder, or from the repository.
    const address = siteAddress(file, textOf(env)) ?? siteAddress(file, 'README.md')
    const name = address ? md.renderInline(`[${file}](${address})`, { ...env }) : md.utils.escapeHtml(file)
    return `<div class="block-of-file"><p class="file-name">${name}</p>${block}</div>`
  }
}

/** The text that is rendered, counted from the repository. */
function textOf(env: { path?: string; realPath?: string }): string {
  return relative(ROOT, env.realPath ?? env.path ?? ROOT)
}
