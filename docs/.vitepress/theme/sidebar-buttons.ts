/**
 * The groups at the side of a page, for those who listen or use a keyboard. VitePress makes the line of a group a button,
 * and puts a second one with the same effect inside it, which assistive technology cannot reach; and neither says
 * whether the group is open.
 */
import { onContentUpdated } from 'vitepress'
import { nextTick, onUnmounted } from 'vue'

/** Makes each group's line its only button, which says whether the group is open. */
export function useSidebarButtons(): void {
  let watching: MutationObserver | undefined
  onContentUpdated(async () => {
    await nextTick()
    watching?.disconnect()
    const sidebar = document.querySelector('.VPSidebar')
    if (!sidebar) return
    improve(sidebar)
    watching = new MutationObserver(() => improve(sidebar))
    // A group that opens or closes gains or loses a class.
    watching.observe(sidebar, { subtree: true, childList: true, attributeFilter: ['class'] })
  })
  onUnmounted(() => watching?.disconnect())
}

function improve(sidebar: Element) {
  for (const button of sidebar.querySelectorAll('.collapsible > .item[role=button]')) {
    button.setAttribute('aria-expanded', String(!button.parentElement?.classList.contains('collapsed')))
    const caret = button.querySelector('.caret')
    for (const name of ['role', 'tabindex', 'aria-label']) caret?.removeAttribute(name)
  }
}
