/**
 * A scenario: how many nodes, what is done to them when, and what must hold. It is a short file of its chapter,
 * `scenarios/NAME.yaml`, and says itself what must be taken away for it to fail.
 */
import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { closest } from 'fastest-levenshtein'
import {
  array,
  type BaseIssue,
  integer,
  maxValue,
  minLength,
  minValue,
  nonEmpty,
  number,
  optional,
  picklist,
  pipe,
  record,
  safeParse,
  strictObject,
  string,
  union,
} from 'valibot'
import { LineCounter, parseDocument } from 'yaml'
import { type Chapter, INSTALLER } from '../chapters/chapters.ts'
import type { Copies } from '../run/members.ts'
import { membersOf } from '../run/members.ts'
import { textOfFile } from '../workspace/files.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { ROOT } from '../workspace/repository.ts'
import type { Lane } from './events.ts'
import { type Promised, promiseOf } from './promises.ts'
import { actionsOf, msOf, type Named } from './words.ts'

/** What is wrong in a run that must fail, and what in one that must not. */
export interface Changes {
  /** Programs of another chapter in place of this one's, all of them. */
  chapter?: string
  /** What the programs have to do without. */
  without?: Lever
  /** A text of a source, and what stands there in its place. */
  replace?: { in: string; text: string; with: string }
}

/** What can be taken from every program, whatever its source says. */
export type Lever = (typeof LEVERS)[number]

const LEVERS = ['reconnection', 'state', 'chance'] as const

/** Something that is done at some time. */
export interface Step {
  /** In seconds of the programs' time, after all were up. */
  at: number
  /** In the words of the terminal. */
  text: string
}

export interface Scenario {
  name: string
  /** Its file, counted from the repository. */
  file: string
  /** What it shows, in a sentence. */
  says: string
  copies: Copies
  /** How many times as fast as real time the programs' timers run. */
  speed: number
  steps: Step[]
  promises: Promised[]
  /** When it is over at the latest, in seconds after all were up. */
  ends: number
  control: Changes
}

/** How many times as fast a scenario goes that does not say so: as the tests do. */
const SPEED = 10

const text = pipe(string(), nonEmpty())
const ChangesSchema = strictObject({
  chapter: optional(union([text, number()])),
  without: optional(picklist(LEVERS)),
  replace: optional(strictObject({ in: text, text, with: string() })),
})
const ScenarioSchema = strictObject({
  says: text,
  nodes: optional(record(string(), pipe(number(), integer(), minValue(1), maxValue(1000)))),
  speed: optional(pipe(number(), minValue(0.1), maxValue(100))),
  steps: pipe(array(strictObject({ at: text, do: text })), minLength(1)),
  ends: text,
  promises: pipe(array(text), minLength(1)),
  control: ChangesSchema,
})

/** What the value of each key is to be. */
const TAKES: Record<string, string> = {
  says: 'a sentence about what it shows',
  nodes: 'how many of which program, such as {nodes: 5}',
  speed: 'how many times as fast it goes, 0.1 to 100',
  steps: 'a list of what is done when, such as - { at: 5s, do: "heal" }',
  at: 'a time with its unit, such as 5s',
  do: 'what is done, in the words of the terminal',
  ends: 'a time with its unit, such as 60s',
  promises: 'a list of what must hold, such as - all back within 30s',
  control:
    'what is taken away so that a promise is broken: {without: reconnection}, {chapter: 10} or {replace: ...}',
  chapter: 'a chapter, such as 10',
  without: LEVERS.join(', '),
  replace: '{ in: src/NAME.ts, text: "what stands there", with: "what is to stand there" }',
}

/** The names of a chapter's scenarios. */
export function scenariosOf({ folder }: Chapter): string[] {
  try {
    return readdirSync(join(folder, 'scenarios'))
      .filter((file) => file.endsWith('.yaml'))
      .map((file) => file.slice(0, -'.yaml'.length))
      .sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** All scenarios of these chapters, a line each. */
export function scenarioList(chapters: readonly Chapter[]): string {
  const found = chapters.flatMap((chapter) =>
    scenariosOf(chapter).map((name) => ({ chapter, name, says: readScenario(chapter, name).says })),
  )
  if (found.length === 0) return `${chapters.map(({ name }) => name).join(', ')}: no scenarios yet.`
  const width = Math.max(...found.map(({ name }) => name.length))
  return found
    .map(
      ({ chapter, name, says }) =>
        `${String(chapter.number).padStart(2, '0')}  ${name.padEnd(width)}  ${says}`,
    )
    .join('\n')
}

/**
 * Reads a scenario of a chapter.
 *
 * @param asked how many of each program, where it is not as many as the scenario says
 * @throws ReaderError when there is none, or something in it is wrong: a line for each problem, with its place
 */
export function readScenario(chapter: Chapter, name: string, asked: Copies = {}): Scenario {
  const path = join(chapter.folder, 'scenarios', `${name}.yaml`)
  const yaml = textOfFile(path)
  if (yaml !== undefined) return scenarioOf(yaml, { file: relative(ROOT, path), name, chapter, asked })
  const names = scenariosOf(chapter)
  throw new ReaderError(
    names.length === 0
      ? `${chapter.name} has no scenarios. One would be a file ${relative(ROOT, path)}; docs/lab.md says how it is written.`
      : `${chapter.name} has no scenario "${name}". Did you mean ${closest(name, names)}? There are: ${names.join(', ')}.`,
  )
}

/** The same of a text. `file` is how problems call it. */
export function scenarioOf(
  yaml: string,
  { file, name, chapter, asked = {} }: { file: string; name: string; chapter: Chapter; asked?: Copies },
): Scenario {
  const lines = new LineCounter()
  const document = parseDocument(yaml, { lineCounter: lines, prettyErrors: false })
  const placed = (offset: number, what: string) => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${line}:${col}: ${what}`
  }
  if (document.errors.length > 0)
    throw new ReaderError(document.errors.map(({ pos, message }) => placed(pos[0], `${message}.`)).join('\n'))
  /** The place of a value, or of what it would be in. */
  const offsetOf = (path: readonly (string | number)[]): number => {
    for (let length = path.length; length > 0; length -= 1) {
      const node = document.getIn(path.slice(0, length), true) as
        | { range?: [number, ...unknown[]] }
        | undefined
      if (node?.range) return node.range[0]
    }
    return 0
  }
  const { success, output, issues = [] } = safeParse(ScenarioSchema, document.toJS() ?? {})
  if (!success)
    throw new ReaderError(issues.map((issue) => placed(offsetOf(pathOf(issue)), toldIssue(issue))).join('\n'))

  const problems: string[] = []
  /** What a text means, or else one more problem. */
  const read = <T>(path: (string | number)[], meaning: () => T): T | undefined => {
    try {
      return meaning()
    } catch (error) {
      if (!(error instanceof ReaderError)) throw error
      problems.push(placed(offsetOf(path), error.message))
      return undefined
    }
  }
  const { says, nodes = {}, speed = SPEED, steps, ends, promises, control } = output
  const copies = { ...read(['nodes'], () => copiesOf(nodes, chapter)), ...asked }
  const named = namedIn(chapter, copies, () => 0)
  const times = steps.map(({ at }, index) => (read(['steps', index, 'at'], () => msOf(at)) ?? 0) / 1000)
  const run = new Set<string>()
  steps.forEach(({ do: words }, index) => {
    for (const action of read(['steps', index, 'do'], () => actionsOf(words, named)) ?? [])
      if (action.do === 'run') run.add(action.lane)
    if (index > 0 && (times[index] ?? 0) < (times[index - 1] ?? 0))
      problems.push(
        placed(
          offsetOf(['steps', index, 'at']),
          'this comes before the step above it: steps are in the order of time.',
        ),
      )
  })
  const lastStep = times.at(-1) ?? 0
  const promised = promises.flatMap(
    (words, index) => read(['promises', index], () => promiseOf(words, named)) ?? [],
  )
  promised.forEach(({ of }, index) => {
    for (const command of of.filter((name) => named.commands.includes(name) && !run.has(name)))
      problems.push(placed(offsetOf(['promises', index]), `no step runs ${command}, so nothing comes of it.`))
  })
  const endsAt = (read(['ends'], () => msOf(ends)) ?? Number.POSITIVE_INFINITY) / 1000
  if (endsAt <= lastStep) problems.push(placed(offsetOf(['ends']), 'it ends before its last step.'))
  if (Object.keys(control).length !== 1)
    problems.push(
      placed(
        offsetOf(['control']),
        `control takes one of: ${Object.keys(ChangesSchema.entries).join(', ')}.`,
      ),
    )
  const { replace } = control
  if (replace && !textOfFile(join(chapter.folder, replace.in))?.includes(replace.text))
    problems.push(
      placed(
        offsetOf(['control', 'replace', 'text']),
        `this text does not stand in ${replace.in}, so nothing would be replaced.`,
      ),
    )
  if (problems.length > 0) throw new ReaderError(problems.join('\n'))
  return {
    name,
    file,
    says,
    copies,
    speed,
    steps: steps.map(({ do: words }, index) => ({ at: times[index] ?? 0, text: words })),
    promises: promised,
    ends: endsAt,
    control: {
      ...(control.chapter !== undefined && { chapter: String(control.chapter) }),
      ...(control.without !== undefined && { without: control.without }),
      ...(replace && { replace }),
    },
  }
}

/** Who can be named in a cluster of so many. */
export function namedIn(chapter: Chapter, copies: Copies, random: () => number): Named {
  const lanes = membersOf(chapter, copies).map(
    ({ name, program }): Lane => ({
      name,
      program: program.name,
      ...(program.connectsTo !== undefined && { connectsTo: program.connectsTo }),
    }),
  )
  return { lanes, plurals: pluralsOf(chapter), commands: commandsOf(chapter), random }
}

/** What several of each program are called. */
export function pluralsOf({ programs }: Chapter): Map<string, string> {
  return new Map(programs.flatMap(({ name, many }) => (many === undefined ? [] : [[name, many] as const])))
}

/** What can be run in a lab of it: its commands, but for the one that would change this machine. */
export function commandsOf({ commands }: Chapter): string[] {
  return commands.filter((name) => name !== INSTALLER)
}

function copiesOf(nodes: Record<string, number>, chapter: Chapter): Copies {
  return Object.fromEntries(
    Object.entries(nodes).map(([many, count]) => {
      const program = chapter.programs.find((program) => program.many === many)
      if (program) return [program.name, count]
      const plurals = [...pluralsOf(chapter).values()]
      throw new ReaderError(
        `${chapter.name} has no ${many}. It has ${plurals.join(' and ') || 'one of each program'}.`,
      )
    }),
  )
}

function pathOf({ path }: BaseIssue<unknown>): (string | number)[] {
  return (path ?? []).map(({ key }) => key as string | number)
}

function toldIssue(issue: BaseIssue<unknown>): string {
  const path = pathOf(issue)
  const at = path.join('.')
  if (issue.expected === 'never') {
    const key = String(path.at(-1))
    const known = Object.keys(
      path[0] === 'steps'
        ? { at: 0, do: 0 }
        : path.length > 1
          ? ChangesSchema.entries
          : ScenarioSchema.entries,
    )
    return `${at} is not known here. Did you mean ${closest(key, known)}? Known here: ${known.join(', ')}.`
  }
  const takes = TAKES[String(path.findLast((key) => Object.hasOwn(TAKES, key)))]
  return `${at} is ${issue.input === undefined ? 'missing' : JSON.stringify(issue.input)}. It takes ${takes}.`
}
