/**
 * What a lab is made of: a node for each program of the cluster, one for each command of the chapter that does not run
 * yet, and a link for each of them that connects.
 */
import { mkdir, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Chapter } from '../chapters/chapters.ts'
import { builtProgram } from '../harness/built.ts'
import { tapOn } from '../record/tap.ts'
import { WireLog } from '../record/wire.ts'
import { type Ports, programEnvironment } from '../run/environment.ts'
import { type Copies, linksBetween, type Member, membersOf } from '../run/members.ts'
import { whyNotStarted } from '../run/not-started.ts'
import type { LabEvent, Lane } from './events.ts'
import { FaultyLink } from './faulty-link.ts'
import type { LabFolder } from './folder.ts'
import type { Guard } from './guard.ts'
import type { Happenings } from './happenings.ts'
import { LabNode } from './node-process.ts'
import { openWithTheirPorts, TELLS_WHO_LISTENS } from './open-ports.ts'
import { commandsOf, type Lever } from './scenario.ts'

const WITHOUT = new URL('without.js', import.meta.url)
const CLOCK = fileURLToPath(new URL('clock.js', import.meta.url))

export interface Cluster {
  nodes: LabNode[]
  commands: LabNode[]
  links: FaultyLink[]
  /** Ends what it does by itself. */
  end: () => void
}

export interface ClusterOptions {
  folder: LabFolder
  guard: Guard
  happenings: Happenings
  speed: number
  random: () => number
  ports: Ports
  copies: Copies | undefined
  config: string | undefined
  without: Lever | undefined
}

/** Makes them. Nothing runs yet. */
export async function makeCluster({
  folder,
  guard,
  happenings,
  speed,
  random,
  ports,
  copies,
  config,
  without,
}: ClusterOptions): Promise<Cluster> {
  const { chapter } = folder
  const members = membersOf(chapter, copies)
  const commands = commandsOf(chapter).map((name) => commandOf(name, chapter))
  const links: FaultyLink[] = []
  /** Those to a program that listens on several ports: that it is up says nothing of each. */
  let watched: readonly FaultyLink[] = []
  const seconds = () => happenings.seconds()
  const emit = (event: LabEvent) => {
    happenings.add(event)
    if (event.type !== 'state' || (event.state !== 'ready' && event.state !== 'ended')) return
    for (const link of links.filter((link) => !watched.includes(link)))
      if (link.to === event.lane) void link.listens(event.state === 'ready').catch(() => {})
  }
  const names = [...members, ...commands].map(({ name }) => name)
  const log = new WireLog(names, seconds, emit)
  try {
    for (const { lane, to, port } of linksBetween([...members, ...commands], chapter)) {
      const watch = () => tapOn({ lane, to, log })
      const listensAt = ports.get(port) ?? port
      links.push(await FaultyLink.open({ lane, to, port: listensAt, asked: port, watch, speed, random }))
    }
    if (TELLS_WHO_LISTENS) watched = links.filter((link) => hasSeveralPorts(link.to, links))
    const taps = links.map(({ lane, asked, port }) => ({ lane, port: asked, tapPort: port }))
    const env = programEnvironment({ ports, speed, taps, preload: CLOCK })
    const make = async (member: Member, startedBy: 'restart' | 'run') => {
      const lane = laneOf(member)
      const state = folder.stateOf(chapter.state ?? lane.name)
      await mkdir(state, { recursive: true })
      return new LabNode({
        lane,
        startedBy,
        async command(args) {
          if (without === 'state' && startedBy === 'restart') {
            await rm(state, { recursive: true, force: true })
            await mkdir(state, { recursive: true })
          }
          return lineOf({ ...member, args: [...member.args, ...args] }, chapter, config)
        },
        cwd: chapter.folder,
        env: {
          ...env,
          ...(without !== undefined && {
            NODE_OPTIONS: `${env['NODE_OPTIONS']} --import=${WITHOUT.href}`,
            TUTORIAL_WITHOUT: without,
          }),
          TUTORIAL_PROGRAM: lane.name,
          TUTORIAL_CLOCK_FILE: folder.clockOf(lane.name),
          STATE_DIRECTORY: state,
        },
        ready: member.program.ready,
        seconds,
        emit,
        onStarted: (pid, ended) => guard.watch(pid, ended),
        whyNot: (error) => whyNotStarted(lane.name, error, members.length),
      })
    }
    return {
      nodes: await Promise.all(members.map((member) => make(member, 'restart'))),
      commands: await Promise.all(commands.map((command) => make(command, 'run'))),
      links,
      end: openWithTheirPorts(watched),
    }
  } catch (error) {
    await Promise.all(links.map((link) => link.close()))
    throw error
  }
}

/** A command, as a program of the cluster that nobody waits for. It connects to whom the others connect to. */
function commandOf(name: string, { programs }: Chapter): Member {
  const connectsTo = programs.find((program) => program.connectsTo !== undefined)?.connectsTo
  const program = { name, ready: [], copies: 1, listens: [], log: `${name}.log`, args: [] }
  return {
    name,
    copy: 1,
    args: [],
    program: { ...program, ...(connectsTo !== undefined && { connectsTo }) },
  }
}

function hasSeveralPorts(lane: string, links: readonly FaultyLink[]): boolean {
  return new Set(links.filter(({ to }) => to === lane).map(({ asked }) => asked)).size > 1
}

function laneOf({ name, program }: Member): Lane {
  return {
    name,
    program: program.name,
    ...(program.connectsTo !== undefined && { connectsTo: program.connectsTo }),
  }
}

/** How Node runs a program: as plain JavaScript, which starts in a fifth of the time, or else from its source, which says why not. */
async function lineOf(
  { program, args }: Member,
  chapter: Chapter,
  config: string | undefined,
): Promise<string[]> {
  const made = await builtProgram(chapter, program.name)
  return [
    ...(made ?? ['--import', 'tsx', `src/${program.name}.ts`]),
    ...args,
    ...(config !== undefined && !program.config ? ['--config', config] : []),
  ]
}
