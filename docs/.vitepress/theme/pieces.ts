/** Loads a piece of the site's data when a page needs it. */
import { inBrowser } from 'vitepress'
import { type ShallowRef, shallowRef, watchEffect } from 'vue'

/** What came of loading a piece: nothing yet, the piece, or why it did not come. */
export type Loaded<Piece> = ShallowRef<{ piece?: Piece; problem?: string }>

/** The piece with this key, again whenever the key changes. A page that is rendered at build time has none. */
export function usePiece<Piece>(
  loaders: Record<string, () => Promise<{ default: Piece }>>,
  key: () => string | undefined,
): Loaded<Piece> {
  return useLoaded(key, async (wanted) => (await loaders[wanted]?.())?.default)
}

/** What `load` makes of a key, again whenever the key changes: nothing where there is no key. */
export function useLoaded<Piece>(
  key: () => string | undefined,
  load: (key: string) => Promise<Piece | undefined>,
): Loaded<Piece> {
  const loaded: Loaded<Piece> = shallowRef({})
  if (!inBrowser) return loaded
  watchEffect(async () => {
    const wanted = key()
    loaded.value = {}
    if (wanted === undefined) return
    try {
      const piece = await load(wanted)
      if (key() === wanted && piece !== undefined) loaded.value = { piece }
    } catch {
      if (key() === wanted)
        loaded.value = {
          problem: 'This part of the page could not be loaded. Is the network there? Load the page again.',
        }
    }
  })
  return loaded
}
