/** The modules that docs/src/data-plugin.ts makes. */
declare module 'virtual:site/chapters' {
  import type { ShownChapter } from '../../src/shown.ts'

  const chapters: ShownChapter[]
  export default chapters
}

declare module 'virtual:site/pieces' {
  import type { ShownComparison, ShownFile, ShownRecording } from '../../src/shown.ts'

  type Loaders<Piece> = Record<string, () => Promise<{ default: Piece }>>
  export const code: Loaders<ShownFile[]>
  export const core: Loaders<ShownFile>
  export const comparison: Loaders<ShownComparison>
  export const recording: Loaders<ShownRecording>
}

declare module '*.css'
