/** Lets the browser keep what is read, so that it can be read again without a network. */
import { onContentUpdated, useData, useRoute, withBase } from 'vitepress'

/** Does nothing where a browser cannot, or its reader wants to save data. */
export function keepForOffline(): void {
  if (!isWanted()) return
  // Not before the page is there: what it needs now goes first. A failure costs nothing but reading offline.
  window.addEventListener('load', () => {
    navigator.serviceWorker.register(withBase('/service-worker.js')).catch(() => {})
  })
}

/** Says of each page that it is read, so that it is kept, and the part around it. */
export function useKeeping(): void {
  const { site } = useData()
  const route = useRoute()
  onContentUpdated(async () => {
    if (!IS_BUILT || !isWanted()) return
    const read = route.path.slice(site.value.base.length).replace(/(^|\/)index\.html$/, '$1')
    ;(await navigator.serviceWorker.ready).active?.postMessage({ read })
  })
}

/**
 * Whether the site has a page, whether it can be loaded now or not: VitePress knows the files of all.
 *
 * @param address below the base: `chapters/03-sockets/`
 */
export function hasPage(address: string): boolean {
  const { __VP_HASH_MAP__: files = {} } = window as { __VP_HASH_MAP__?: Record<string, string> }
  const name = address.replace(/\.html$/, '').replace(/(^|\/)$/, '$1index')
  return Object.hasOwn(files, `${name.replaceAll('/', '_')}.md`)
}

function isWanted(): boolean {
  const { connection } = navigator as Navigator & { connection?: { saveData?: boolean } }
  return 'serviceWorker' in navigator && !connection?.saveData
}
