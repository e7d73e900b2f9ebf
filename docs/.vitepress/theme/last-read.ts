/** Where a reader was last, kept in the browser and nowhere else. */
import { onContentUpdated, useData, useRoute } from 'vitepress'
import { onMounted, type Ref, ref } from 'vue'

export interface Place {
  /** Below the site's base: `/chapters/03-sockets/`. */
  path: string
  title: string
}

const KEY = 'last-read'

/** Remembers each chapter that is opened. */
export function useRemembering(): void {
  const { page, site } = useData()
  const route = useRoute()
  onContentUpdated(() => {
    if (!page.value.relativePath.startsWith('chapters/')) return
    const path = route.path.slice(site.value.base.length - 1)
    try {
      localStorage.setItem(KEY, JSON.stringify({ path, title: page.value.title } satisfies Place))
    } catch {
      // A browser may keep nothing, when its reader wants so.
    }
  })
}

/** The chapter that was opened last, from when the page is in a browser. */
export function useLastRead(): Ref<Place | undefined> {
  const place = ref<Place>()
  onMounted(() => {
    try {
      const kept: Partial<Place> | null = JSON.parse(localStorage.getItem(KEY) ?? 'null')
      if (kept?.path?.startsWith('/chapters/') && kept.title)
        place.value = { path: kept.path, title: kept.title }
    } catch {
      // What is kept there is no place to go.
    }
  })
  return place
}
