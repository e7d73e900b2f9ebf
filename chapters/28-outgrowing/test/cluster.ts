/** A cluster of a few members: what the tests of this chapter begin with. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ChapterCopy } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'

export const PATIENCE = { timeout: 90_000, interval: 50 }

/** Time-outs are measured by a clock that no test makes faster. They are long enough for a busy machine. */
const env = { TUTORIAL_CLOCK_SPEED: '1' }
const ELECTION_MS = 2_000

type Running = Awaited<ReturnType<ChapterCopy['run']>>

/** Members that run, by their names. */
class Nodes {
  readonly #chapter: ChapterCopy
  readonly #running = new Map<string, Running>()

  constructor(chapter: ChapterCopy) {
    this.#chapter = chapter
  }

  /** Starts a member. It has its own name, for tasks that are to be done there. */
  async start(name: string): Promise<Running> {
    const copy = Number(name.slice(-1))
    const node = await this.#chapter.run('node', { copy, env: { ...env, RPI_CLUSTER_NODE_HAS: name } })
    this.#running.set(name, node)
    return node
  }

  /** Kills a member, as a power cut would. */
  async kill(name: string): Promise<void> {
    const node = this.of(name)
    this.#running.delete(name)
    node.signal('SIGKILL')
    await node.ends()
  }

  of(name: string): Running {
    const node = this.#running.get(name)
    if (!node) throw new Error(`${name} does not run`)
    return node
  }

  /** Who has said that it leads, in the newest term of all who run. */
  get newest(): { name: string; term: number } {
    const terms = [...this.#running].flatMap(([name, { messages }]) =>
      messages.flatMap((line) => {
        const [, term] = /^Leads in term (\d+),/.exec(line) ?? []
        return term === undefined ? [] : [{ name, term: Number(term) }]
      }),
    )
    return terms.sort((one, other) => other.term - one.term)[0] ?? { name: 'nobody', term: 0 }
  }

  /** Waits until somebody leads, in a later term than this, and so many nodes do tasks for it. */
  async lead({ after = 0, workers = 0 } = {}) {
    return await vi.waitFor(() => {
      const { name, term } = this.newest
      expect(term).toBeGreaterThan(after)
      const { messages } = this.of(name)
      const said = messages.slice(messages.findLastIndex((line) => line.startsWith('Leads in term ')))
      const doing = new Set(said.flatMap((line) => /^(\S+) does tasks: /.exec(line)?.[1] ?? []))
      expect(doing.size).toBeGreaterThanOrEqual(workers)
      return { name, term, process: this.of(name) }
    }, PATIENCE)
  }
}

/** Starts so many members, who begin a cluster, and waits until one leads and so many of them do tasks for it. */
export async function cluster(
  chapter: ChapterCopy,
  count: number,
  workers = count,
  electionMs = ELECTION_MS,
) {
  const names = Array.from({ length: count }, (_, index) => `node-${index + 1}`)
  const text = await readFile(join(chapter.folder, 'rpicluster.json'), 'utf8')
  const begun = text
    .replace(/"founders": \[.*\]/, `"founders": ${JSON.stringify(names)}`)
    .replace('"election_ms": 1000', `"election_ms": ${electionMs}`)
  await chapter.write('rpicluster.json', begun)
  const nodes = new Nodes(chapter)
  await Promise.all(names.map((name) => nodes.start(name)))
  return { nodes, names, leader: await nodes.lead({ workers }) }
}
