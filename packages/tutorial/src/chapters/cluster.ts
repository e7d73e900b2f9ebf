/**
 * What a chapter's package.json says of its cluster, under the key `cluster`: which programs it has, in
 * which order they start, and what each promises. Whatever runs, tests, records or shows a chapter reads
 * it here. What each key means stands at {@link Program}; an example with all of them is in the README.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  array,
  type BaseIssue,
  type InferOutput,
  integer,
  literal,
  maxValue,
  minLength,
  minValue,
  nonEmpty,
  number,
  optional,
  picklist,
  pipe,
  record,
  regex,
  safeParse,
  strictObject,
  string,
  union,
} from 'valibot'
import { ReaderError } from '../workspace/reader-error.ts'

/** The most copies of one program that `start` is asked for. */
export const MOST_COPIES = 1000

/** A program of a chapter's cluster: it runs until it is stopped. */
export interface Program {
  /** `node`: its source is `src/node.ts`, and its script in package.json has this name. */
  name: string
  /** What a line of it says when it is up; one of these. The programs after it start then. */
  ready: string[]
  /** What several of it are called, where there may be several: `nodes` gives `start --nodes 3`. */
  many?: string
  /** How many of it a cluster starts. Default: 1. */
  copies: number
  /**
   * Where it listens: a port that is fixed in its code, such as `7000`, or where a port stands in its
   * configuration file, such as `node.port`, or deeper in one of JSON. `{n}` stands for the number of the copy.
   */
  listens: (number | string)[]
  /** The program that it connects to. Where that is itself, each copy connects to each other one. */
  connectsTo?: string
  /** Where the address of that program stands in its configuration file, if it is one: `node.peer_ip`. */
  peerAddress?: string
  /**
   * What it does when that program is not there, or goes away: it `ends` with exit code 1, or it `waits`
   * until the program is there again.
   */
  withoutPeer?: 'ends' | 'waits'
  /** Its log file. Default: `node.log` for `node`. */
  log: string
  /** A configuration file for each copy, which is handed over with `--config`: `node-{n}.cfg`. */
  config?: string
  /** What it is started with besides. `{n}` stands for the number of the copy. */
  args: string[]
  /** What it was called in the chapter before, if that was another name. */
  formerly?: string
  /** Where a service finds its key on its machine: an absolute path, or one that is counted from the home there. */
  keyFile?: string
}

/** Whether a chapter's programs run in the site's page: they do, or they need what a page does not have. */
export type Live = true | { needs: string }

/** Something that the reader may choose at the start: `queue` gives `start --queue nats`. */
export interface Choice {
  /** What is chosen, and the option is called. */
  name: string
  /** Where the value stands in the configuration, section and key: `cluster.queue`. */
  place: string
  /** What there is to choose from. */
  of: string[]
}

/** A chapter's cluster. */
export interface Cluster {
  /** The configuration file that its programs find by themselves, and that `--config` replaces. */
  config?: string
  /** Whether its programs run in the site's page as they are, or what they need that a page does not have: `a shell`. */
  live?: Live
  /** That its programs find something in each other's state when they run on one machine, as keys. Otherwise each may have its own. */
  state?: 'shared'
  /** What the reader may choose at the start in place of what the configuration says. Default: nothing. */
  choices: Choice[]
  /** Its programs, in the order in which they start. */
  programs: Program[]
}

/** What the value of each key is to be. */
const TAKES = {
  cluster:
    'an object with the programs of the cluster, such as {"programs": {"node": {"ready": "Listening on"}}}',
  programs: 'an object with an entry for each program, in the order in which they start',
  live: 'true, or an object with what its programs need and a page does not have, such as {"needs": "a shell"}',
  state: '"shared"',
  choices:
    'an object with what may be chosen at the start, such as {"queue": {"place": "cluster.queue", "of": ["own", "nats"]}}',
  place: 'a place in the configuration file, section and key, such as "cluster.queue"',
  of: 'a list of texts',
  ready: 'what a line of the program says when it is up, such as "Listening on", or a list of such texts',
  many: 'the plural of the program\'s name, such as "nodes"',
  copies: `a whole number from 1 to ${MOST_COPIES}`,
  listens: 'a list of ports (1 to 65535), or of places in its configuration file, such as "node.port"',
  connectsTo: 'the name of another program',
  peerAddress: 'a place in its configuration file, section and key, such as "node.peer_ip"',
  withoutPeer: '"ends" or "waits"',
  log: 'the name of a file, such as "node.log"',
  config: 'the name of a file, such as "rpicluster.cfg"',
  args: 'a list of texts',
  formerly: 'the name that the program had in the chapter before, such as "node"',
  keyFile: 'the path of a file on the machine, such as "/etc/cluster/node.key"',
}

/** The options that `start` has in every chapter. */
const OPTIONS_OF_START = new Set(['for', 'config', 'help'])

const NAME = /^[a-z][a-z0-9-]*$/
const text = pipe(string(), nonEmpty())
const fileName = pipe(text, regex(/^[^/\\]+$/))
const texts = pipe(array(text), minLength(1))

const ProgramSchema = strictObject({
  ready: union([text, texts]),
  many: optional(pipe(string(), regex(NAME))),
  copies: optional(pipe(number(), integer(), minValue(1), maxValue(MOST_COPIES))),
  listens: optional(
    array(
      union([pipe(number(), integer(), minValue(1), maxValue(65_535)), pipe(string(), regex(/^(?!\d+$)./))]),
    ),
  ),
  connectsTo: optional(text),
  peerAddress: optional(pipe(string(), regex(/^[^.]+\../))),
  withoutPeer: optional(picklist(['ends', 'waits'])),
  log: optional(fileName),
  config: optional(fileName),
  args: optional(array(string())),
  formerly: optional(text),
  keyFile: optional(text),
})

const ClusterSchema = strictObject({
  config: optional(fileName),
  live: optional(union([literal(true), strictObject({ needs: text })])),
  state: optional(literal('shared')),
  choices: optional(
    record(string(), strictObject({ place: pipe(string(), regex(/^[^.]+\.[^.]+$/)), of: texts })),
  ),
  programs: record(string(), ProgramSchema),
})

/**
 * Reads what the package.json in a folder says of its cluster.
 *
 * @returns nothing when it says nothing
 * @throws ReaderError when what it says is not right: a line for each problem, with file and key
 */
export function readCluster(folder: string): Cluster | undefined {
  const file = join(folder, 'package.json')
  const { cluster } = JSON.parse(readFileSync(file, 'utf8')) as { cluster?: unknown }
  return cluster === undefined ? undefined : clusterOf(cluster, file)
}

/** Checks what stands under the key `cluster` of a file, and fills in what goes without saying. */
function clusterOf(value: unknown, file: string): Cluster {
  const { success, output, issues = [] } = safeParse(ClusterSchema, value)
  if (!success) throw problem(file, issues.map(toldIssue))
  const { config, live, state, choices = {}, programs } = output
  const problems = contradictions(output)
  if (problems.length > 0) throw problem(file, problems)
  return {
    ...(config !== undefined && { config }),
    ...(live !== undefined && { live }),
    ...(state !== undefined && { state }),
    choices: Object.entries(choices).map(([name, choice]) => ({ name, ...choice })),
    programs: Object.entries(programs).map(
      ([name, { ready, copies = 1, listens = [], log = `${name}.log`, args = [], ...rest }]) =>
        ({ name, ready: [ready].flat(), copies, listens, log, args, ...rest }) as Program,
    ),
  }
}

/** What each value by itself does not show: names that nobody has, and keys that want each other. */
function contradictions({ config, choices = {}, programs }: InferOutput<typeof ClusterSchema>): string[] {
  const entries = Object.entries(programs)
  const choosing = Object.keys(choices).find(
    (name) => !NAME.test(name) || OPTIONS_OF_START.has(name) || entries.some(([, { many }]) => many === name),
  )
  if (choosing !== undefined)
    return [`cluster.choices.${choosing}: "start --${choosing}" means something else, or nothing.`]
  if (Object.keys(choices).length > 0 && config === undefined)
    return ['cluster.choices goes with a file that cluster.config names.']
  if (entries.length === 0) return [`cluster.programs is empty. It takes ${TAKES.programs}.`]
  return entries.flatMap(([name, program]) => {
    const { many, listens = [], connectsTo, peerAddress, withoutPeer, config: own } = program
    const at = `cluster.programs.${name}`
    const problems: string[] = []
    // In a practice folder the program may stand under both of its names, until the reader has renamed it.
    const isSame = ([other, { formerly }]: (typeof entries)[number]) =>
      other === name || formerly === name || other === program.formerly
    if (!NAME.test(name)) problems.push(`${at}: a program is named in small letters, digits and "-".`)
    if (
      many !== undefined &&
      (OPTIONS_OF_START.has(many) || entries.some((other) => !isSame(other) && other[1].many === many))
    )
      problems.push(`${at}.many is "${many}", which is taken: "start --${many}" means something else.`)
    if (connectsTo !== undefined && !Object.hasOwn(programs, connectsTo))
      problems.push(
        `${at}.connectsTo is "${connectsTo}". Programs here: ${Object.keys(programs).join(', ')}.`,
      )
    if ((connectsTo === undefined) !== (withoutPeer === undefined))
      problems.push(`${at} has only one of connectsTo and withoutPeer, and they go together.`)
    if (peerAddress !== undefined && (connectsTo === undefined || config === undefined))
      problems.push(`${at}.peerAddress goes with connectsTo, and with a file that cluster.config names.`)
    const inFile = listens.find((port) => typeof port === 'string')
    if (inFile !== undefined && config === undefined && own === undefined)
      problems.push(
        `${at}.listens has "${inFile}", and neither cluster.config nor ${at}.config names a file.`,
      )
    return problems
  })
}

function toldIssue(issue: BaseIssue<unknown>): string {
  const keys = ['cluster', ...(issue.path ?? []).map(({ key }) => String(key))]
  const at = keys.join('.')
  if (issue.expected === 'never') {
    const schema = keys.length > 2 ? ProgramSchema : ClusterSchema
    return `${at} is not known here. Known here: ${Object.keys(schema.entries).join(', ')}.`
  }
  const takes = TAKES[keys.findLast((key) => Object.hasOwn(TAKES, key)) as keyof typeof TAKES]
  const isMissing = issue.type === 'strict_object' && issue.input === undefined
  return `${at} is ${isMissing ? 'missing' : JSON.stringify(issue.input)}. It takes ${takes}.`
}

function problem(file: string, lines: string[]): ReaderError {
  return new ReaderError(lines.map((line) => `${file}: ${line}`).join('\n'))
}
