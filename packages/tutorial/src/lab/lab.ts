/**
 * A chapter's cluster as real processes, each link through one on which faults can be made, and everything that happens
 * told as it comes. The programs do not know.
 */
import { writeFileSync } from 'node:fs'
import { closest } from 'fastest-levenshtein'
import type { Chapter } from '../chapters/chapters.ts'
import type { Direction } from '../faults/fault.ts'
import type { Ports } from '../run/environment.ts'
import type { Copies } from '../run/members.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { type Cluster, makeCluster } from './cluster.ts'
import type { Checked, LabAction, LabEvent, Lane } from './events.ts'
import type { FaultyLink } from './faulty-link.ts'
import { type LabFolder, makeFolder } from './folder.ts'
import { Guard } from './guard.ts'
import { Happenings } from './happenings.ts'
import type { LabNode } from './node-process.ts'
import { anySeed, randomBy } from './random.ts'
import type { Lever } from './scenario.ts'
import type { Watched } from './watched.ts'

export interface LabOptions {
  /** How many of each program. Default: what the chapter says. */
  copies?: Copies
  /** What chance is made of, where a fault has some. Default: another one each time. */
  seed?: number
  /** Which port stands in for which. Default: the programs use their own. */
  ports?: Ports
  /** How many times as fast as real time the programs' timers run, and the lab's time with them. Default: 1. */
  speed?: number
  /** A configuration file for every program that has none of its own: its absolute path. */
  config?: string
  /** Changes the copy of the chapter before its programs are made. */
  change?: (folder: string) => void
  /** What the programs have to do without, in the control of a scenario. */
  without?: Lever
  /** Listens from the first event on. */
  onEvents?: (events: readonly LabEvent[]) => void
}

/** A running cluster. */
export class Lab implements Watched {
  readonly chapterName: string
  readonly seed: number
  readonly speed: number
  readonly lanes: readonly Lane[]
  readonly commands: readonly string[]
  /** Resolves when each program was started once, in the chapter's order, and is up or has ended. */
  readonly up: Promise<void>
  readonly #chapter: Chapter
  readonly #folder: LabFolder
  readonly #guard: Guard
  readonly #nodes: readonly LabNode[]
  readonly #commands: readonly LabNode[]
  readonly #links: readonly FaultyLink[]
  readonly #endCluster: () => void
  readonly #happenings: Happenings
  #closed: Promise<void> | undefined

  private constructor({
    nodes,
    commands,
    links,
    end,
    folder,
    guard,
    happenings,
    seed,
    speed,
  }: Cluster & { folder: LabFolder; guard: Guard; happenings: Happenings; seed: number; speed: number }) {
    this.#chapter = folder.chapter
    this.chapterName = folder.chapter.name
    this.seed = seed
    this.speed = speed
    this.#folder = folder
    this.#guard = guard
    this.#nodes = nodes
    this.#commands = commands
    this.#links = links
    this.#endCluster = end
    this.#happenings = happenings
    this.lanes = nodes.map(({ lane }) => lane)
    this.commands = commands.map(({ lane }) => lane.name)
    this.up = this.#startAll()
  }

  /**
   * Makes the cluster and begins to start it.
   *
   * @throws ReaderError when the chapter has no programs that connect to each other
   */
  static async start(original: Chapter, options: LabOptions = {}): Promise<Lab> {
    const {
      copies,
      seed = anySeed(),
      ports = new Map(),
      speed = 1,
      config,
      change,
      without,
      onEvents,
    } = options
    if (!original.programs.some(({ connectsTo }) => connectsTo !== undefined))
      throw new ReaderError(
        `In ${original.name} no program connects to another, so there is no link to make a fault on. Chapters from 03 on have some.`,
      )
    let guard: Guard | undefined
    try {
      const folder = await makeFolder(original, (path) => {
        guard = new Guard(path)
      })
      if (!guard) throw new Error('a folder without its guard')
      change?.(folder.path)
      const random = randomBy(seed)
      const happenings = new Happenings(speed)
      if (onEvents) happenings.onEvents(onEvents)
      const made = { folder, guard, happenings, speed, random, ports, copies, config, without }
      return new Lab({ ...(await makeCluster(made)), ...made, seed })
    } catch (error) {
      await guard?.close()
      throw error
    }
  }

  seconds(): number {
    return this.#happenings.seconds()
  }

  history(): readonly LabEvent[] {
    return this.#happenings.history()
  }

  onEvents(listener: (events: readonly LabEvent[]) => void): () => void {
    return this.#happenings.onEvents(listener)
  }

  /** Tells, as an event, whether a promise was kept. */
  checked(result: Omit<Checked, 'type' | 'at'>): void {
    this.#happenings.add({ type: 'checked', at: this.seconds(), ...result })
  }

  async do(action: LabAction): Promise<void> {
    const work = this.#work(action)
    this.#happenings.add({ type: 'done', at: this.seconds(), action })
    await work()
  }

  /** Ends all programs, those that came last first, and leaves nothing. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await Promise.all(this.#commands.map((command) => command.close()))
    const kinds = this.#chapter.programs.toReversed()
    for (const { name } of kinds)
      await Promise.all(this.#nodes.filter(({ lane }) => lane.program === name).map((node) => node.close()))
    this.#endCluster()
    await Promise.all(this.#links.map((link) => link.close()))
    this.#happenings.close()
    await this.#guard.close()
  }

  async #startAll(): Promise<void> {
    for (const { name } of this.#chapter.programs)
      await Promise.all(this.#nodes.filter(({ lane }) => lane.program === name).map((node) => node.start()))
  }

  /** What an action does, when it can be done: it is refused before it is told. */
  #work(action: LabAction): () => void | Promise<void> {
    switch (action.do) {
      case 'kill':
      case 'stop':
      case 'continue': {
        const node = this.#node(action.lane)
        const { do: word } = action
        node.checkCan(word)
        return () => node[word]()
      }
      case 'restart': {
        const node = this.#node(action.lane)
        node.checkCan('restart')
        return () => node.restart()
      }
      case 'run': {
        const command = this.#node(action.lane)
        command.checkCan('run')
        return () => command.run(argumentsIn(action.args))
      }
      case 'skew': {
        const { name } = this.#node(action.lane).lane
        return () => writeFileSync(this.#folder.clockOf(name), String(action.seconds))
      }
      case 'cut':
        return this.#onLinks(action.lane, (link) => link.cut())
      case 'heal':
        return this.#onLinks(action.lane, (link) => link.heal())
      case 'black-hole':
        return this.#onLinks(action.lane, (link, isMade) =>
          link.blackHole(isMade ? action.direction : opposite(action.direction)),
        )
      case 'delay':
        return this.#onLinks(action.lane, (link) => link.delay(action.delayMs, action.jitterMs))
      case 'trickle':
        return this.#onLinks(action.lane, (link) => link.trickle(action.bytesPerSecond))
      case 'partition':
        return this.#partition(action.groups)
      case 'heal-all':
        return () => {
          for (const link of this.#links) link.heal()
        }
      default:
        throw new ReaderError(
          `There is no action "${(action as { do?: unknown }).do}". There are: kill, stop, continue, restart, run, skew, cut, heal, black-hole, delay, trickle, partition, heal-all.`,
        )
    }
  }

  #node(name: string): LabNode {
    const all = [...this.#nodes, ...this.#commands]
    const node = all.find(({ lane }) => lane.name === name)
    if (node) return node
    const names = all.map(({ lane }) => lane.name)
    throw new ReaderError(
      `There is no node "${name}" here. Did you mean ${closest(name, names)}? There are: ${names.join(', ')}.`,
    )
  }

  /**
   * Does something to the links of a node: those that it makes, and where its kind connects to each other, those that lead
   * to it as well.
   */
  #onLinks(name: string, change: (link: FaultyLink, isMade: boolean) => void): () => void {
    const { lane } = this.#node(name)
    const isOneOfMany = lane.connectsTo === lane.program
    const links = this.#links.filter(
      (link) => link.lane === lane.name || (isOneOfMany && link.to === lane.name),
    )
    if (links.length === 0) {
      const connecting = [...new Set(this.#links.map((link) => link.lane))]
      throw new ReaderError(
        `${name} connects to nobody: a link is named by the node that connects. There are: ${connecting.join(', ')}.`,
      )
    }
    return () => {
      for (const link of links) change(link, link.lane === lane.name)
    }
  }

  #partition(groups: readonly (readonly string[])[]): () => void {
    const groupOf = new Map<string, number>()
    for (const [index, names] of groups.entries()) {
      for (const name of names) {
        if (groupOf.has(this.#node(name).lane.name))
          throw new ReaderError(`${name} stands in a partition twice: it is in one group, or in none.`)
        groupOf.set(name, index)
      }
    }
    const isParted = ({ lane, to }: FaultyLink) =>
      groupOf.has(lane) && groupOf.has(to) && groupOf.get(lane) !== groupOf.get(to)
    if (!this.#links.some(isParted)) {
      const peers = [...new Set(this.#links.map(({ to }) => to))]
      throw new ReaderError(
        `This partition parts nobody: no link leads from one group to another. All links here lead to ${peers.join(', ')}: put that into a group, too.`,
      )
    }
    return () => {
      for (const link of this.#links) link.part(isParted(link))
    }
  }
}

/** To the node or from it is the other way round on a link that leads to it. */
function opposite(direction: Direction | 'both'): Direction | 'both' {
  if (direction === 'both') return direction
  return direction === 'toServer' ? 'toClient' : 'toServer'
}

/** What is typed behind the name of a command, as its arguments. */
function argumentsIn(text: string): string[] {
  const words = text.match(/"[^"]*"|'[^']*'|\S+/g) ?? []
  return words.map((word) => word.replace(/^(["'])(.*)\1$/s, '$2'))
}
