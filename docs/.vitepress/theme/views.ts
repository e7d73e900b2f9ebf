/** Which view of a chapter is shown. The address carries it, so that a view can be linked: `?view=changes`. */
import { useRouter } from 'vitepress'
import { onMounted, onUnmounted, type Ref, ref } from 'vue'

export const VIEWS = ['read', 'code', 'changes', 'run'] as const

export type View = (typeof VIEWS)[number]

/** The view that the address asks for, from when the page is in a browser, and what shows another: a new step in the browser's history, or in place of this one. */
export function useView(): { view: Ref<View>; show: (view: View, how?: 'push' | 'replace') => void } {
  const view = ref<View>('read')
  const read = () => {
    const asked = new URLSearchParams(location.search).get('view')
    view.value = VIEWS.find((name) => name === asked) ?? 'read'
  }

  const router = useRouter()
  const before = router.onAfterRouteChange
  onMounted(() => {
    read()
    window.addEventListener('popstate', read)
    router.onAfterRouteChange = async (to) => {
      await before?.(to)
      read()
    }
  })
  onUnmounted(() => {
    window.removeEventListener('popstate', read)
    if (before) router.onAfterRouteChange = before
    else delete router.onAfterRouteChange
  })

  return {
    view,
    show(wanted, how = 'push') {
      if (wanted === view.value) return
      view.value = wanted
      const url = new URL(location.href)
      url.hash = ''
      if (wanted === 'read') url.searchParams.delete('view')
      else url.searchParams.set('view', wanted)
      if (how === 'push') history.pushState({}, '', url)
      else history.replaceState(history.state, '', url)
    },
  }
}
