/** Which view of a chapter is shown. The address carries it, so that a view can be linked: `?view=changes`. */
import { useRouter } from 'vitepress'
import { nextTick, onMounted, onUnmounted, type Ref, ref } from 'vue'
import { goTo, isSame, type Place, placeIn } from './places.ts'

export const VIEWS = ['read', 'code', 'changes', 'run', 'live'] as const

export type View = (typeof VIEWS)[number]

/** Where a view was left. */
interface Left {
  scroll: number
  place: Place | undefined
}

/**
 * The view that the address asks for, from when the page is in a browser, and what shows another: a new step in the
 * browser's history, or in place of this one. Who goes from one to another stays at the lines where they were.
 */
export function useView(): {
  view: Ref<View>
  show: (view: View, how?: 'push' | 'replace') => void
  /** Looks at the address again: what it leads to may have come by now. */
  read: () => void
} {
  const view = ref<View>('read')
  const left: Partial<Record<View, Left>> = {}

  const read = async () => {
    const asked = new URLSearchParams(location.search).get('view')
    const target = targetOfHash()
    const holder = VIEWS.find((name) => panelOf(name)?.contains(target ?? null))
    view.value = (target && holder) || VIEWS.find((name) => name === asked) || 'read'
    await nextTick()
    // A link may lead to a file in a view that was not shown when it was looked for: VitePress scrolls to where it is
    // not, in the next frame.
    if (target && holder && holder !== 'read')
      requestAnimationFrame(() => requestAnimationFrame(() => target.scrollIntoView()))
  }

  const router = useRouter()
  const before = router.onAfterRouteChange
  onMounted(() => {
    read()
    window.addEventListener('popstate', read)
    window.addEventListener('hashchange', read)
    router.onAfterRouteChange = async (to) => {
      await before?.(to)
      read()
    }
  })
  onUnmounted(() => {
    window.removeEventListener('popstate', read)
    window.removeEventListener('hashchange', read)
    if (before) router.onAfterRouteChange = before
    else delete router.onAfterRouteChange
  })

  return {
    view,
    read,
    async show(wanted, how = 'push') {
      if (wanted === view.value) return
      const panel = panelOf(view.value)
      const place = panel ? placeIn(panel) : undefined
      left[view.value] = { scroll: window.scrollY, place }
      view.value = wanted
      const url = new URL(location.href)
      url.hash = ''
      if (wanted === 'read') url.searchParams.delete('view')
      else url.searchParams.set('view', wanted)
      if (how === 'push') {
        // As VitePress does before it goes to another page: Back leads to where one was.
        history.replaceState({ ...history.state, scrollPosition: window.scrollY }, '')
        history.pushState({}, '', url)
      } else history.replaceState(history.state, '', url)
      await nextTick()
      arrive(wanted, place)
    },
  }

  function arrive(wanted: View, place: Place | undefined) {
    const panel = panelOf(wanted)
    const known = left[wanted]
    if (known && (!place || isSame(place, known.place)))
      return scrollTo({ top: known.scroll, behavior: 'instant' })
    if (panel && place && goTo(place, panel)) return
    // The view begins below its tabs, wherever the one before had been scrolled to.
    const top = panel ? panel.getBoundingClientRect().top + window.scrollY : 0
    if (window.scrollY > top) panel?.scrollIntoView({ behavior: 'instant' })
  }
}

const panelOf = (view: View) => document.getElementById(`view-${view}`)

function targetOfHash(): HTMLElement | null {
  try {
    return document.getElementById(decodeURIComponent(location.hash.slice(1)))
  } catch {
    return null
  }
}
