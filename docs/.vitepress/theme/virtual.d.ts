/** The modules that docs/src/data-plugin.ts makes. (A declared module can import by a package's name only.) */
declare module 'virtual:site/chapters' {
  import type { ShownChapter } from 'docs/shown'

  const chapters: ShownChapter[]
  export default chapters
}

declare module 'virtual:site/pieces' {
  import type { ShownComparison, ShownFile, ShownRecording } from 'docs/shown'

  type Loaders<Piece> = Record<string, () => Promise<{ default: Piece }>>
  export const code: Loaders<ShownFile[]>
  export const core: Loaders<ShownFile>
  export const comparison: Loaders<ShownComparison>
  export const recording: Loaders<ShownRecording>
}

declare module '*.css'

/** Whether this is the built site, and not that of `pnpm site`: set by .vitepress/config.ts. */
declare const IS_BUILT: boolean
