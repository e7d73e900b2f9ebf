/** Lets the browser keep the site, so that it can be read without a network. */
import { withBase } from 'vitepress'

/** Does nothing where a browser cannot, or its reader wants to save data. */
export function keepForOffline(): void {
  const { connection } = navigator as Navigator & { connection?: { saveData?: boolean } }
  if (!('serviceWorker' in navigator) || connection?.saveData) return
  // Not before the page is there: what it needs now goes first. A failure costs nothing but reading offline.
  window.addEventListener('load', () => {
    navigator.serviceWorker.register(withBase('/service-worker.js')).catch(() => {})
  })
}
