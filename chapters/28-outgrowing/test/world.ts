/** A cluster with a queue and a lead of one kind or another, and what is needed to break it: what the behaviours are tried on. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ElectionWatch, members as membersOf } from '@rpi-cluster/core/election'
import { openKey } from '@rpi-cluster/core/key-files'
import type { Logger } from '@rpi-cluster/core/logging'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { TaskClient } from '@rpi-cluster/core/tasks'
import { type ChapterCopy, freePort, HarnessError, type Running } from '@rpi-cluster/tutorial/harness'
import * as v from 'valibot'
import { LeaderLink, wayTo } from '../src/leader-link.ts'
import { cluster, PATIENCE } from './cluster.ts'

export type QueueKind = 'own' | 'nats'
export type LeaderKind = 'own' | 'etcd'

/** How long a node says nothing of a task of NATS until another one gets it, in s. */
export const LEASE_SECONDS = 3

const env = { TUTORIAL_CLOCK_SPEED: '1' }

/** Which engines a cluster needs. */
const COMMANDS = {
  nats: ['nats-server', 'nats-server'],
  etcd: ['etcd', 'etcd-server'],
  own: undefined,
} as const

/** Whether the engine of a kind is here. In CI it must be, and this throws. */
export function isHere(kind: QueueKind | LeaderKind): boolean {
  const [command, packageName] = COMMANDS[kind] ?? []
  if (command === undefined || !spawnSync(command, ['--version']).error) return true
  if (process.env['CI'] && process.platform === 'linux')
    throw new HarnessError(`${packageName} is not installed, and CI must run the tests that need it`)
  console.warn(
    `${packageName} is not installed (apt-get install ${packageName}): the tests with it are left out`,
  )
  return false
}

interface Kinds {
  queue: QueueKind
  leader: LeaderKind
  /** How many nodes. */
  count: number
  /** How much NATS may keep, in MB. Default: 64. */
  natsMb?: number
  /** How many tasks may wait. Default: 20. */
  mostWaiting?: number
  /** The time-out of the election, and half of etcd's lease, in ms. Default: one that suits a busy machine. */
  electionMs?: number
}

export type World = Awaited<ReturnType<typeof openWorld>>

/** Starts a cluster, and connects to it as one who hands in work. */
export async function openWorld(chapter: ChapterCopy, kinds: Kinds) {
  const { queue, leader, count, natsMb = 64, mostWaiting = 20, electionMs } = kinds
  const text = readFileSync(join(chapter.folder, 'rpicluster.json'), 'utf8')
  const set = {
    queue: `"${queue}"`,
    leader: `"${leader}"`,
    nats_port: await freePort(),
    etcd_port: await freePort(),
    etcd_peer_port: await freePort(),
    most_waiting: mostWaiting,
    nats_mb: natsMb,
    lease_seconds: LEASE_SECONDS,
  }
  let config = text
  for (const [key, value] of Object.entries(set))
    config = config.replace(new RegExp(`("${key}": )("\\w+"|\\d+)`), `$1${value}`)
  await chapter.write('rpicluster.json', config)
  const hasEngines = queue !== 'own' || leader !== 'own'
  let engines = hasEngines ? await startEngines(chapter) : undefined
  const workers = queue === 'own' ? count : 0
  const { nodes, names, leader: first } = await cluster(chapter, count, workers, electionMs)
  const client = await connectAs(chapter)

  return {
    ...{ chapter, kinds: { queue, leader }, nodes, names, first, ...client },
    /** Kills the engines, and what would start them again, as a power cut would that their disk survives. */
    killEngines: async () => {
      if (!engines) throw new Error('There are no engines')
      const all = childrenOf(engines.pid)
      engines.signal('SIGKILL')
      for (const child of all) process.kill(child, 'SIGKILL')
      await engines.ends()
    },
    startEngines: async () => {
      engines = await startEngines(chapter)
    },
    /** How much memory what keeps the queue takes, in MB. */
    engineMemory: () =>
      (engines ? childrenOf(engines.pid) : []).map((pid) => ({ command: commandOf(pid), mb: memoryOf(pid) })),
  }
}

async function startEngines(chapter: ChapterCopy): Promise<Running> {
  const engines = await chapter.run('engines', { env })
  await engines.says(/ Engines: /)
  return engines
}

/** The children of a process, by /proc. */
function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => statOf(pid)[1] === String(parent))
}

function statOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
  } catch {
    return [] // it has ended
  }
}

function commandOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
}

/** The memory of a process that is in RAM, in MB. */
export function memoryOf(pid: number): number {
  const [, kb] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kb) / 1024
}

/** What `submit` is, in this process: a client that goes to whoever leads. */
async function connectAs(chapter: ChapterCopy) {
  const ending = new AbortController()
  const { signal: stop } = ending
  const says = () => {}
  const log = { debug: says, info: says, warn: says, error: says, fatal: says } as unknown as Logger
  const text = readFileSync(join(chapter.folder, 'rpicluster.json'), 'utf8').replace(/^\s*\/\/.*$/gm, '')
  const members = v.parse(membersOf, JSON.parse(text).cluster.members)
  const file = join(chapter.folder, 'state', 'keys', 'submitter.key')
  const secure = encryptedBy(await openKey({ file, log, stop }))
  const link = new LeaderLink()
  const client = new TaskClient(link)
  const watch = new ElectionWatch({ members, secure, log, stop })

  class Submitter extends ConnectingNode {
    override handlers = client.handlers

    override async greet() {
      await client.resume()
    }
  }

  void watch.follow(async (leader, over) => {
    await link.run(leader, new Submitter({ ...wayTo(leader, members), secure, stop: over, log }))
  })
  await watch.whenLed()
  return {
    client,
    watch,
    /** Waits until a question is answered: there may be no connection for a moment. */
    ask: async <Answer>(question: (client: TaskClient) => Promise<Answer>): Promise<Answer> => {
      for (const begin = performance.now(); ; ) {
        try {
          return await question(client)
        } catch (error) {
          if (performance.now() - begin > PATIENCE.timeout) throw error
          await sleep(PATIENCE.interval)
        }
      }
    },
    close: async () => {
      ending.abort()
      await sleep(100)
    },
  }
}

/** Makes the folder of the states a small disk of its own. Returns what ends that; undefined where this user may not. */
export function smallDisk(chapter: ChapterCopy, mb: number): (() => void) | undefined {
  const folder = join(chapter.folder, 'state')
  mkdirSync(folder, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mb}m`, 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    console.warn('No file system can be mounted here: what a full disk does is left out')
    return undefined
  }
  return () => execFileSync('umount', ['-l', folder])
}
