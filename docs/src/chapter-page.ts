/** Makes a chapter's README the first of the views that its page has. */
import { relative } from 'node:path'
import { ROOT } from '@rpi-cluster/tutorial/workspace/repository'
import type { MarkdownRenderer } from 'vitepress'

/** A plugin for VitePress's Markdown renderer. */
export function chapterPage(md: MarkdownRenderer): void {
  md.core.ruler.before('normalize', 'chapter_page', (state) => {
    if (state.inlineMode) return
    const chapter = /^chapters\/([^/]+)\/README\.md$/.exec(textOf(state.env))?.[1]
    if (chapter) state.src = `<ChapterPage name="${chapter}">\n\n${state.src}\n\n</ChapterPage>\n`
  })
}

/** The text that is rendered, counted from the repository. */
function textOf(env: { path?: string; realPath?: string }): string {
  return relative(ROOT, env.realPath ?? env.path ?? ROOT)
}
