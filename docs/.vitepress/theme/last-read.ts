/** What a reader has read and where they were last, kept in the browser and nowhere else. */
import { onContentUpdated, useData, useRoute } from 'vitepress'
import { nextTick, onMounted, onUnmounted, type Ref, ref } from 'vue'

export interface Place {
  /** Below the site's base: `/chapters/03-sockets/`. */
  path: string
  title: string
}

const PLACE_KEY = 'last-read'
const READ_KEY = 'read-to-the-end'

/** The names of the chapters whose end was reached: shared by all that show it. */
const read = ref<ReadonlySet<string>>(new Set())

/** Where the reader was last. */
const place = ref<Place>()

/** Remembers each chapter that is opened, and each whose end is reached. */
export function useRemembering(): void {
  const { page, site } = useData()
  const route = useRoute()
  let watching: IntersectionObserver | undefined

  onContentUpdated(async () => {
    watching?.disconnect()
    const name = /^chapters\/([^/]+)\//.exec(page.value.relativePath)?.[1]
    if (!name) return
    const path = route.path.slice(site.value.base.length - 1)
    keep(PLACE_KEY, { path, title: page.value.title } satisfies Place)

    // What follows the text is seen when it has been read, or passed over.
    await nextTick()
    const end = document.querySelector('.VPDocFooter')
    if (!end) return
    watching = new IntersectionObserver((entries) => {
      const isText = document.querySelector('.chapter-page[data-view="read"]')
      if (!isText || !entries.some(({ isIntersecting }) => isIntersecting)) return
      read.value = new Set([...read.value, name])
      keep(READ_KEY, [...read.value])
    })
    watching.observe(end)
  })

  onMounted(() => {
    const names = kept(READ_KEY)
    if (Array.isArray(names)) read.value = new Set(names.filter((name) => typeof name === 'string'))
  })
  onUnmounted(() => watching?.disconnect())
}

/** The names of the chapters that were read to the end, from when the page is in a browser. */
export function useRead(): Readonly<Ref<ReadonlySet<string>>> {
  return read
}

/** The chapter that was opened last, from when the page is in a browser. */
export function useLastRead(): Readonly<Ref<Place | undefined>> {
  onMounted(() => {
    const { path, title } = (kept(PLACE_KEY) ?? {}) as Partial<Place>
    place.value = path?.startsWith?.('/chapters/') && title ? { path, title } : undefined
  })
  return place
}

/** Forgets all of it. */
export function forget(): void {
  read.value = new Set()
  place.value = undefined
  try {
    localStorage.removeItem(PLACE_KEY)
    localStorage.removeItem(READ_KEY)
  } catch {
    // There is nothing to forget.
  }
}

function keep(key: string, value: unknown) {
  try {
    localStorage.setItem(key, JSON.stringify(value))
  } catch {
    // A browser may keep nothing, when its reader wants so.
  }
}

/** What was kept; nothing where that is no JSON. */
function kept(key: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(key) ?? 'null')
  } catch {
    return undefined
  }
}
