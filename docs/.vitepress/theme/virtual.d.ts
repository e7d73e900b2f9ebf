/** The modules that docs/src/data-plugin.ts makes. (A declared module can import by a package's name only.) */
declare module 'virtual:site/chapters' {
  import type { ShownChapter } from 'docs/shown'

  const chapters: ShownChapter[]
  export default chapters
}

declare module 'virtual:site/parts' {
  import type { ShownPart } from 'docs/shown'

  const parts: ShownPart[]
  export default parts
}

declare module 'virtual:site/taste' {
  import type { ShownTaste } from 'docs/shown'

  const taste: ShownTaste | null
  export default taste
}

declare module 'virtual:site/pieces' {
  import type { LiveChapter } from 'docs/live'
  import type { ShownFile, ShownRecording, ShownSources, ShownStep, ShownViews } from 'docs/shown'

  type Loaders<Piece> = Record<string, () => Promise<{ default: Piece }>>
  export const core: Loaders<ShownFile>
  export const sources: Loaders<ShownSources>
  export const views: Loaders<ShownViews>
  export const step: Loaders<ShownStep>
  export const recording: Loaders<ShownRecording>
  /** Of those chapters that run in the page. */
  export const live: Loaders<LiveChapter>
}

declare module 'virtual:site/live-worker' {
  /** Where the program of a node's worker is. */
  const address: string
  export default address
}

declare module '*.css?inline' {
  const css: string
  export default css
}

declare module '*.css'

/** Whether this is the built site, and not that of `pnpm site`: set by .vitepress/config.ts. */
declare const IS_BUILT: boolean
