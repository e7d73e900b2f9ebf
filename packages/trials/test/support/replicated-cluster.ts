/** The nodes of chapter 27, each a process of its own, between any two of them links to which whatever may go wrong happens, and submitters. */
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClusterMember, ElectionWatch, type Leader } from '@rpi-cluster/core/election'
import { openKey } from '@rpi-cluster/core/key-files'
import { addKey } from '@rpi-cluster/core/keys'
import { createLogger } from '@rpi-cluster/core/logging'
import { ConnectingNode } from '@rpi-cluster/core/node'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { TaskClient } from '@rpi-cluster/core/tasks'
import { freePort, isAlive } from '@rpi-cluster/tutorial/harness'
import { FaultyLink } from '@rpi-cluster/tutorial/lab/faulty-link'
import { randomBy } from '@rpi-cluster/tutorial/lab/random'
import { programEnvironment } from '@rpi-cluster/tutorial/run/environment'
import { type RunningProcess, startNode } from '@rpi-cluster/tutorial/run/process'
import { LeaderLink, wayTo } from '../../../../chapters/27-replicated-tasks/src/leader-link.ts'
import type { ClusterFault } from './drawn-cluster-faults.ts'

const HOST = '127.0.0.1'
const SUBMITTER = 'submitter'

/** How long one may take to end that was asked to, in ms: until what it has in work has ended. */
const GRACE_MS = 60_000

export interface ReplicatedClusterOptions {
  /** Where the programs of the chapter are, as JavaScript. */
  programs: string
  size: number
  seed: number
  electionMs: number
  heartbeatMs: number
}

/** A node, which may have been several processes. */
interface Node {
  running: RunningProcess | undefined
  /** Whether that was killed, or asked to end. */
  isDown: boolean
  /** The processes that stand still with it. */
  frozen: number[]
}

/** Somebody who hands in tasks to whoever leads. */
export interface Submitter {
  readonly tasks: TaskClient
  /** Called with each leader that was reached. */
  reached: (leader: Leader) => void
}

export class ReplicatedCluster {
  readonly names: readonly string[]
  readonly folder: string
  readonly #options: ReplicatedClusterOptions
  readonly #nodes = new Map<string, Node>()
  /** Where each node, and those who submit, reach each member. */
  readonly #ways = new Map<string, ClusterMember[]>()
  readonly #links: FaultyLink[] = []
  readonly #lines: string[] = []
  readonly #stop = new AbortController()
  /** What lasts still, and how it is ended. */
  readonly #lasting = new Map<NodeJS.Timeout, () => void>()
  #watch!: ElectionWatch
  #isOver = false

  private constructor(options: ReplicatedClusterOptions, folder: string) {
    this.#options = options
    this.folder = folder
    this.names = Array.from({ length: options.size }, (_, index) => `node-${index + 1}`)
  }

  /** Starts the nodes. Resolves when one leads. */
  static async start(options: ReplicatedClusterOptions): Promise<ReplicatedCluster> {
    const cluster = new ReplicatedCluster(options, await mkdtemp(join(tmpdir(), 'replicated-trial-')))
    try {
      await cluster.#begin()
    } catch (error) {
      await cluster.end()
      throw error
    }
    return cluster
  }

  async #begin(): Promise<void> {
    const { folder, names } = this
    const keys = join(folder, 'keys')
    await mkdir(keys, { mode: 0o700 })
    for (const node of [...names, SUBMITTER]) await addKey({ folder: keys, node })
    await this.#link()
    for (const name of names) {
      await writeFile(join(folder, `${name}.json`), JSON.stringify(this.#configOf(name)))
      this.#nodes.set(name, { running: undefined, isDown: true, frozen: [] })
      await this.#run(name)
    }
    const { signal: stop } = this.#stop
    const log = createLogger('watch', { folder }).child({}, { level: 'silent' })
    const secure = encryptedBy(await openKey({ file: join(keys, `${SUBMITTER}.key`), log, stop }))
    this.#watch = new ElectionWatch({ members: this.#waysOf(SUBMITTER), secure, log, stop })
    await this.leads()
  }

  /** Each has a link of its own to each other one, as a member and as a leader. */
  async #link(): Promise<void> {
    const random = randomBy(this.#options.seed)
    const own: ClusterMember[] = []
    for (const name of this.names)
      own.push({ name, host: HOST, port: await freePort(), leaderPort: await freePort() })
    for (const lane of [...this.names, SUBMITTER]) {
      const ways: ClusterMember[] = []
      for (const member of own) {
        const open = async (port: number) => {
          const to = { lane, to: member.name, port, asked: port, watch: () => ({}), speed: 1, random }
          const link = await FaultyLink.open(to)
          await link.listens(true)
          this.#links.push(link)
          return link.port
        }
        const { port, leaderPort } = member
        ways.push(
          member.name === lane
            ? member
            : { ...member, port: await open(port), leaderPort: await open(leaderPort) },
        )
      }
      this.#ways.set(lane, ways)
    }
  }

  #configOf(name: string): object {
    const { electionMs, heartbeatMs } = this.#options
    const members = this.#waysOf(name).map(({ name, host, port, leaderPort }) => [
      name,
      { host, port, leader_port: leaderPort },
    ])
    return {
      cluster: {
        members: Object.fromEntries(members),
        founders: this.names,
        election_ms: electionMs,
        heartbeat_ms: heartbeatMs,
      },
      node: { bind_ip: HOST, nodes: [...this.names, SUBMITTER], submitters: [SUBMITTER], slots: 2 },
      webserver: { webserver_port: 1, webserver_host: HOST },
    }
  }

  #waysOf(name: string): ClusterMember[] {
    return this.#ways.get(name) ?? []
  }

  /** Who leads, as who submits sees it. */
  get leader(): string | undefined {
    return this.#watch.leader?.name
  }

  /** Resolves when somebody leads. */
  async leads(): Promise<string> {
    await this.#watch.whenLed()
    return this.leader ?? ''
  }

  /** What each member says of its log and its queue. */
  get details(): Readonly<Record<string, unknown>>[] {
    return [...this.#watch.views.values()].flatMap(({ view, isReachable }) =>
      isReachable && view ? [view.details] : [],
    )
  }

  /** Somebody else who submits, until this is over. */
  async submitter(): Promise<Submitter> {
    const { signal: stop } = this.#stop
    const { folder } = this
    const log = createLogger('submitter', { folder }).child({}, { level: 'silent' })
    const secure = encryptedBy(await openKey({ file: join(folder, 'keys', `${SUBMITTER}.key`), log, stop }))
    const members = this.#waysOf(SUBMITTER)
    const link = new LeaderLink()
    const tasks = new TaskClient(link)
    const submitter: Submitter = { tasks, reached: () => {} }
    class Connecting extends ConnectingNode {
      override handlers = tasks.handlers

      override async greet() {
        if (link.leader) submitter.reached(link.leader)
        await tasks.resume()
      }

      override async beat() {
        await this.send('info', 'node_baseinfo')
      }
    }
    const follow = async (leader: Leader, over: AbortSignal) => {
      await link.run(leader, new Connecting({ ...wayTo(leader, members), secure, stop: over, log }))
    }
    void new ElectionWatch({ members, secure, log, stop }).follow(follow)
    return submitter
  }

  /** Lets something happen. It ends after its time, or with {@link heal}. */
  strike(fault: ClusterFault): void {
    if (fault.kind === 'power cut of all') {
      for (const name of this.names) this.#kill(name)
      this.#endAfter(fault.forMs, () => {
        for (const name of this.names) void this.#run(name)
      })
      return
    }
    const name = fault.whom === 'leader' ? this.leader : `node-${fault.whom}`
    const node = this.#nodes.get(name ?? '')
    if (name === undefined || !node) return
    const links = this.#links.filter(({ lane, to }) => lane === name || to === name)
    switch (fault.kind) {
      case 'killed':
        this.#kill(name)
        break
      case 'stopped':
        this.#thaw(node)
        node.isDown = true
        node.running?.stop(GRACE_MS)
        break
      case 'frozen':
        node.frozen = [node.running?.pid ?? 0, ...childrenOf(node.running?.pid)]
        for (const pid of node.frozen) signal(pid, 'SIGSTOP')
        this.#endAfter(fault.forMs, () => this.#thaw(node))
        return
      case 'cut':
        for (const link of links) link.cut()
        break
      case 'parted':
        for (const link of links) link.part(true)
        break
      case 'black hole':
        // In one direction: what it says is not heard, or it hears nothing.
        for (const link of links) link.blackHole(link.lane === name ? fault.to : other(fault.to))
        break
      case 'delay':
        for (const link of links) link.delay(fault.delayMs, fault.jitterMs)
    }
    this.#endAfter(fault.forMs, () => {
      if (fault.kind === 'killed' || fault.kind === 'stopped') void this.#run(name)
      else for (const link of links) link.heal()
    })
  }

  /** Ends everything that still lasts. */
  heal(): void {
    for (const [timer, end] of this.#lasting) {
      clearTimeout(timer)
      end()
    }
    this.#lasting.clear()
    for (const link of this.#links) link.heal()
  }

  /** What the programs have printed, each line with who and when, from the start of this test's process, in s. */
  get lines(): readonly string[] {
    return this.#lines
  }

  /** Has what happened said among what the programs say. */
  tell(line: string): void {
    this.#lines.push(`${(performance.now() / 1000).toFixed(2)} ${line}`)
  }

  /** Ends all nodes as their reader does. How each has ended, by its name. */
  async stop(): Promise<Map<string, number | string | null>> {
    this.#isOver = true
    const ends = await Promise.all(
      [...this.#nodes].map(async ([name, { running }]) => {
        running?.stop(GRACE_MS)
        const end = await running?.ended
        return [name, end?.signal ?? end?.exitCode ?? null] as const
      }),
    )
    return new Map(ends)
  }

  /** Lets go of all that is this one's. Nothing of it is left then. */
  async end(): Promise<void> {
    this.#isOver = true
    for (const timer of this.#lasting.keys()) clearTimeout(timer)
    this.#stop.abort()
    for (const name of this.#nodes.keys()) {
      const { running } = this.#nodes.get(name) ?? {}
      this.#kill(name)
      await running?.ended
    }
    for (const link of this.#links) await link.close()
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  /** A node is gone at once, with all that it was doing. */
  #kill(name: string): void {
    const node = this.#nodes.get(name)
    if (!node) return
    const { running } = node
    node.isDown = true
    const pids = [...node.frozen.splice(0), ...childrenOf(running?.pid)]
    running?.signal('SIGKILL')
    for (const pid of pids) signal(pid, 'SIGKILL')
  }

  #thaw(node: Node): void {
    for (const pid of node.frozen.splice(0)) signal(pid, 'SIGCONT')
  }

  /** Runs a node that is down. */
  async #run(name: string): Promise<void> {
    const node = this.#nodes.get(name)
    if (!node?.isDown) return
    await node.running?.ended
    if (!node.isDown || this.#isOver) return
    node.isDown = false
    const config = join(this.folder, `${name}.json`)
    node.running = startNode([join(this.#options.programs, 'node.js'), name, '--config', config], {
      cwd: this.folder,
      detached: true,
      env: {
        ...programEnvironment({ speed: 1 }),
        TUTORIAL_PROGRAM: name,
        STATE_DIRECTORY: this.folder,
        LOGS_DIRECTORY: this.folder,
      },
      onLine: (line) => this.tell(`${name} | ${line}`),
    })
  }

  #endAfter(ms: number, end: () => void): void {
    const timer = setTimeout(() => {
      this.#lasting.delete(timer)
      end()
    }, ms)
    this.#lasting.set(timer, end)
  }

  /** Lines of a file that tasks have written. */
  async written(file: string): Promise<string[]> {
    const text = await readFile(join(this.folder, file), 'utf8').catch(() => '')
    return text.split('\n').filter(Boolean)
  }
}

function other(direction: 'toServer' | 'toClient') {
  return direction === 'toServer' ? 'toClient' : 'toServer'
}

/** Those that a process has started itself, as Linux tells it. */
function childrenOf(pid: number | undefined): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number)
  } catch {
    return [] // it has ended
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  if (pid > 0 && isAlive(pid)) process.kill(pid, name)
}
