/** What the pages of the site show of the repository: the shape of the data that the build makes for them. */

import type { SaidOf } from '@rpi-cluster/tutorial/compare/between'
import type { WireRecording } from '@rpi-cluster/tutorial/record/wire'

/** A chapter, as lists of chapters show it. */
export interface ShownChapter {
  number: number
  /** `03-sockets` */
  name: string
  title: string
  /** The number of its part: `I`. */
  part: string
  /** How long it takes, in minutes: to read, and to run and try. 0 where its README does not say. */
  minutes: { reading: number; doing: number }
  /** What it teaches, in one sentence. */
  teaches: string
  /** Its programs, and what each was called in the chapter before if that was another name. */
  programs: { name: string; formerly?: string }[]
  /** The names of the modules that the core gained with it. */
  brings: string[]
  /** What its programs need and a page does not have, where they cannot run in one: `a shell`. */
  liveNeeds?: string
  /** The post that it re-creates. */
  post: { address: string; title: string }
}

/** A part of the series. */
export interface ShownPart {
  /** As it is written: `I`, `II`... */
  number: string
  title: string
  /** The numbers of its first and its last chapter; they may be still to come. */
  first: number
  last: number
  /** The rest of a sentence that begins "At its end you can". */
  atItsEnd: string
}

/** A file, whole. */
export interface ShownFile {
  /** Counted from its chapter's folder, or from the repository for a module of the core. */
  file: string
  text: string
  /** Its lines with colours, as HTML. */
  lines: string[]
}

/** One line of a difference. */
export interface ShownLine {
  kind: 'kept' | 'removed' | 'added'
  /** Its number in the older file; none for an added line. */
  before?: number
  /** Its number in the newer file; none for a removed line. */
  after?: number
  /** The code with colours, as HTML. */
  html: string
  /** In which row it stands when both files are shown side by side, counted from 1 in its hunk. */
  row: number
}

/** What a README says of the lines that follow, as HTML, in a row of its own. */
export interface ShownNote {
  kind: 'note'
  html: string
  row: number
}

/** Changed lines of a file with those around them. */
export interface ShownHunk {
  /** Where it begins in the newer file. */
  line: number
  items: (ShownLine | ShownNote)[]
}

/** A file that differs. */
export interface ShownChange {
  part: 'own' | 'core' | 'tests'
  /** `back`: it is as an earlier chapter has it, and the one before has none. */
  status: 'added' | 'removed' | 'moved' | 'changed' | 'back'
  file: string
  /** Where a moved file was. */
  from?: string
  /** The earlier chapter that a file is back from: `02-packaging`. */
  backFrom?: string
  addedLines: number
  removedLines: number
  hunks: ShownHunk[]
  /** For a file that is back as it was: what the text says of it, as HTML. */
  said?: string
  /** For a module of the core whose lines are still to be made: what is said of them. */
  notes?: ShownExplanation[]
}

/** A module that the core gained. */
export interface ShownModule {
  name: string
  bornIn: number
  /** What it is for, as HTML. */
  html: string
  publicNames: { name: string; firstUsedBy?: string }[]
}

/** The difference between two chapters. */
export interface ShownComparison {
  changes: ShownChange[]
  growth: ShownModule[]
  /** Names of modules that the core does not have yet in the second chapter. */
  lost: string[]
}

/** What a text says of lines that a chapter brought. */
export interface ShownExplanation extends SaidOf {
  html: string
}

/** What of a chapter is compared with another. */
export interface ShownSources {
  /** `3` */
  number: number
  /** `03-sockets` */
  name: string
  files: ShownFile[]
  /** What its sources import of the core, its programs first: names by the module that declares them. */
  users: { file: string; imports: [module: string, names: string[]][] }[]
}

/** A file that the chapter before has not, and an earlier one has. */
export interface ShownBack {
  file: string
  /** The latest that has it. */
  from: string
  /** What it is there; nothing when it is the same. */
  was?: { text: string; lines: string[] }
  /** What the text says of it, as HTML. */
  html?: string
}

/** What a chapter brought since the one before it. */
export interface ShownStep {
  /** The chapter. */
  name: string
  explanations: ShownExplanation[]
  back: ShownBack[]
  modules: (Omit<ShownModule, 'publicNames'> & { publicNames: string[]; lines: number })[]
}

/** A recorded run. */
export interface ShownRecording {
  /** The terminal, as asciicast v2. */
  cast: string
  /** The lines that the terminal showed, as plain text, and when each was whole, in seconds. */
  lines: { at: number; text: string }[]
  /** What went over the wire, if anything did. */
  wire?: WireRecording
}

/** A recorded run before it moves. */
export interface ShownTaste {
  /** The name of its chapter. */
  chapter: string
  /** What the terminal showed, to its end. */
  text: string
}

/** The views of a chapter beside its README, as HTML. */
export interface ShownViews {
  code: string
  changes: string
  /** What the terminal showed; empty when nothing was recorded. */
  run: string
}
