/** Names the link beside each heading as the heading reads. VitePress would take its Markdown, with `{#id}` and all. */
import type { MarkdownRenderer } from 'vitepress'

/** A plugin for VitePress's Markdown renderer. */
export function headingLinks(md: MarkdownRenderer): void {
  md.core.ruler.before('anchor', 'heading_links', ({ tokens }) => {
    for (const [index, { type }] of tokens.entries()) {
      const words = tokens[index + 1]
      if (type !== 'heading_open' || !words?.children) continue
      words.content = words.children
        .filter(({ type }) => type === 'text' || type === 'code_inline')
        .map(({ content }) => content)
        .join('')
        .trim()
    }
  })
}
