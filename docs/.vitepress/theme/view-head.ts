/** What a browser calls a view of a chapter, in its tabs, its history and its bookmarks. */
import { useData } from 'vitepress'
import { onMounted, type Ref, watchPostEffect } from 'vue'
import type { View } from './views.ts'

/** What each view beside the text is, as the description of its page. */
const SAID: Record<Exclude<View, 'read'>, (chapter: string) => string> = {
  code: (chapter) => `The programs of chapter ${chapter}: whole, to read and to copy.`,
  changes: (chapter) => `What chapter ${chapter} changes, line by line, below the words that explain it.`,
  run: (chapter) => `Chapter ${chapter} as it runs: the terminal, and every byte that goes over the wire.`,
  live: (chapter) =>
    `Chapter ${chapter} in your browser: its programs run in the page, to be broken and changed.`,
}

/**
 * Gives each view a title and a description of its own. Its canonical address and its card stay those of the chapter:
 * all views are one document, whatever the address asks for behind its `?`.
 *
 * @param heading what the view is called: `03: Sockets, code`
 */
export function useViewHead(view: Ref<View>, heading: () => string): void {
  const { page, site } = useData()
  onMounted(() => {
    watchPostEffect(() => {
      const { title, description } = page.value
      const [name, words] =
        view.value === 'read' ? [title, description] : [heading(), SAID[view.value](title)]
      document.title = `${name} | ${site.value.title}`
      document.querySelector('meta[name=description]')?.setAttribute('content', words)
    })
  })
}
