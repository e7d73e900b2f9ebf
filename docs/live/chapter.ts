/** What the page needs to run a chapter's cluster, as plain data: the build writes it, the page loads it. */

/** A program of the chapter that runs in the page. */
export interface LiveProgram {
  /** `node`: its source is `src/node.ts`. */
  name: string
  /** What a line of it says when it is up; one of these. The programs after it start then. */
  ready: string[]
  /** What several of it are called, where there may be several. */
  many?: string
  /** How many of it a cluster starts unless told otherwise. */
  copies: number
  /** The program that it connects to. */
  connectsTo?: string
  /** What it is started with besides. `{n}` stands for the number of the copy. */
  args: string[]
}

/** A chapter that runs in the page. */
export interface LiveChapter {
  /** `11-reconnection`. */
  name: string
  /** In the order in which they start. */
  programs: LiveProgram[]
  /** The files that a reader may change, by their paths in the chapter's folder: `src/node.ts`, `rpicluster.cfg`. */
  files: Record<string, string>
  /** Which of them is the configuration file. */
  config?: string
}
