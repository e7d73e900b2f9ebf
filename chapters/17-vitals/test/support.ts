import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ChapterCopy, freePort, HarnessError, sayTo } from '@rpi-cluster/tutorial/harness'
import { expect, onTestFinished, vi } from 'vitest'

export const PATIENCE = { timeout: 30_000, interval: 20 }

/** Sets keys of a chapter's configuration. */
export async function configure(
  chapter: ChapterCopy,
  values: Record<string, string | number>,
): Promise<void> {
  let text = readFileSync(join(chapter.folder, 'rpicluster.cfg'), 'utf8')
  for (const [key, value] of Object.entries(values))
    text = text.replace(new RegExp(`^${key} =.*$`, 'm'), `${key} = ${value}`)
  await chapter.write('rpicluster.cfg', text)
}

export const frame = (type: string, payload: unknown, more: object = {}) =>
  `${JSON.stringify({ type, payload, ...more })}\r`

/** Asks the primary of a chapter something, on a connection of its own: the answer, whatever its type. */
export async function ask(chapter: ChapterCopy, question: string, about?: unknown) {
  const peer = await sayTo(chapter.port, frame('info', question, { about, id: 1 }))
  await peer.hears(/"id":1\}\r/)
  await peer.leaves()
  return JSON.parse(peer.heard.slice(0, -1)) as { type: string; payload: never }
}

/** An answer to `history`, as far as tests look at it. */
export interface History {
  times: number[]
  lines: { node: string; name: string; mean: (number | null)[] }[]
}

/** Asks what a vital was in the last hour. */
export async function historyOf(chapter: ChapterCopy, vital: string, node?: string): Promise<History> {
  const now = Date.now() / 1000
  const answer = await ask(chapter, 'history', { vital, node, from: now - 3600, to: now + 60 })
  expect(answer.type).toBe('history')
  return answer.payload
}

/** The values of all lines of a history that are there. */
export function valuesOf({ lines }: History): number[] {
  return lines.flatMap(({ mean }) => mean.filter((value) => value !== null))
}

/** Whether there is an InfluxDB of Debian's here. In CI there must be, and this throws. */
export function hasInflux(): boolean {
  const { stdout = '' } = spawnSync('influxd', ['version'], { encoding: 'utf8' })
  if (/v1\./.test(stdout)) return true
  if (process.env['CI'] && process.platform === 'linux')
    throw new HarnessError('influxdb is not installed, and CI must run the tests that need it')
  console.warn('influxdb is not installed (apt-get install influxdb): the tests with it are left out')
  return false
}

/** An InfluxDB of a test's own. It can be killed and started again, with what it had on disk. */
export class Influx {
  readonly port: number
  readonly #folder = mkdtempSync(join(tmpdir(), 'influx-'))
  #kill: () => Promise<void> = async () => {}

  private constructor(port: number, backupPort: number) {
    this.port = port
    writeFileSync(join(this.#folder, 'influxdb.conf'), configurationOf(this.#folder, port, backupPort))
    onTestFinished(async () => {
      await this.kill()
      rmSync(this.#folder, { recursive: true, force: true })
    })
  }

  /** One that does not run yet. */
  static async make(): Promise<Influx> {
    return new Influx(await freePort(), await freePort())
  }

  async start(): Promise<void> {
    const child = spawn('influxd', ['-config', join(this.#folder, 'influxdb.conf')], { stdio: 'ignore' })
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
    this.#kill = async () => {
      child.kill('SIGKILL')
      await ended
    }
    await vi.waitFor(
      async () => expect((await fetch(`http://127.0.0.1:${this.port}/ping`)).status).toBe(204),
      PATIENCE,
    )
  }

  kill(): Promise<void> {
    return this.#kill()
  }

  /** Does something in the database of the vitals, and returns the values of the first series that come of it. */
  async query(q: string): Promise<unknown[][]> {
    const query = new URLSearchParams({ db: 'rpi_cluster_node_vitals', epoch: 's', q })
    const response = await fetch(`http://127.0.0.1:${this.port}/query?${query}`, { method: 'POST' })
    const { results } = (await response.json()) as { results: { series?: { values: unknown[][] }[] }[] }
    return results[0]?.series?.[0]?.values ?? []
  }
}

function configurationOf(folder: string, port: number, backupPort: number): string {
  return `
reporting-enabled = false
bind-address = "127.0.0.1:${backupPort}"
[meta]
dir = "${folder}/meta"
[data]
dir = "${folder}/data"
wal-dir = "${folder}/wal"
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:${port}"
[ifql]
enabled = false
`
}
