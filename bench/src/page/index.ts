/** What the live page of chapter 15 costs its web server and its master, with a thousand slaves, and with one page open or a hundred. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ask, end, program } from '../processes.ts'
import { coreTime, residentMiB, says, withFreePorts } from '../reader.ts'
import type { Order as PageOrder, Report } from './pages.ts'
import type { Order as SlaveOrder } from './slaves.ts'
import { openBrowser } from './stall.ts'

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))
const CHAPTER = '15-live-page'

const SLAVES = 1_000
const PER_SECOND = 100
const PAGES = 100

/** How often one slave goes and comes back, in ms, when nothing else happens. */
const CHANGE_MS = 1_000

/** How long that is watched, in ms. */
const WATCH_MS = 10_000

/** How often all slaves have something new to tell, while pages do not read, and how much of it has to come at least to one that does, in bytes. */
const NEWS = 30
const LEAST_NEWS = 5_000_000

/** How long it may settle before, in ms. */
const SETTLE_MS = 3_000

/** What two programs take. */
interface Shares {
  /** Of one core. */
  master: number
  webserver: number
}

export interface PageCosts {
  /** With so many pages open: while the slaves come, and once they are there. */
  joining: { one: Shares; many: Shares }
  steady: { one: Shares; many: Shares }
  /** MiB of the web server, with a thousand slaves and so many pages. */
  memory: { one: number; many: number }
  /** The same when each slave has told something new, many times: with one page that reads, and with many that do not. */
  news: { one: number; stopped: number }
  /** MiB of the master. */
  masterMemory: { one: number; many: number }
  /** The longest time without a frame in a real browser, in ms: while they come, and once they are there. Not without a browser. */
  stall?: { joining: number; steady: number }
}

/** @param progress is told what is being measured */
export async function pageCosts(progress: (what: string) => void): Promise<PageCosts> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-page-'))
  const children: ChildProcess[] = []
  const started: ChildProcess[] = []
  try {
    const { status } = spawnSync(
      process.execPath,
      [
        join(REPOSITORY, 'packages/tutorial/bin/tutorial.js'),
        'bundle',
        CHAPTER,
        '--out',
        join(folder, 'bundle'),
      ],
      { stdio: 'ignore' },
    )
    if (status !== 0) throw new Error(`the bundle of ${CHAPTER} could not be made`)
    const config = join(REPOSITORY, 'chapters', CHAPTER, 'rpicluster.cfg')
    const [option = '', own = ''] = await withFreePorts(config, folder)
    const ports = [...readFileSync(own, 'utf8').matchAll(/port = (\d+)/g)].map(([, port]) => port ?? '')
    const start = async (name: string, ready: string) => {
      const child = spawn(process.execPath, [`${name}.js`, option, own], {
        cwd: join(folder, 'bundle'),
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      started.push(child)
      await says(child, [ready])
      return child
    }
    const master = await start('master', 'Listening on')
    const webserver = await start('webserver', 'Serving the page on')
    const address = `http://127.0.0.1:${ports.at(-1)}/`
    const slaves = program('page/slaves.ts', [ports[0] ?? ''])
    const pages = program('page/pages.ts', [address])
    children.push(slaves, pages)
    const tellSlaves = (order: SlaveOrder) => ask(slaves, order)
    const tellPages = (order: PageOrder) => ask<Report>(pages, order)

    const shares = async (work: () => Promise<unknown>): Promise<Shares> => {
      const times = () => [coreTime(master), coreTime(webserver), performance.now() / 1_000] as const
      const before = times()
      await work()
      const after = times()
      const took = after[2] - before[2]
      return { master: (after[0] - before[0]) / took, webserver: (after[1] - before[1]) / took }
    }
    const coming = () => shares(() => tellSlaves({ join: { count: SLAVES, perSecond: PER_SECOND } }))
    const watching = async () => {
      await sleep(SETTLE_MS)
      await tellSlaves({ changeEveryMs: CHANGE_MS })
      const found = await shares(() => sleep(WATCH_MS))
      await tellSlaves({ changeEveryMs: 0 })
      await sleep(SETTLE_MS)
      return found
    }
    const going = async () => {
      await tellSlaves({ leave: true })
      await sleep(SETTLE_MS)
    }

    // It warms up both programs, too.
    progress('a page that reads')
    await tellPages({ open: 1 })
    await coming()
    const { bytes: before } = await tellPages({})
    await tellSlaves({ news: NEWS })
    const read = residentMiB(webserver)
    const { bytes } = await tellPages({})
    if (bytes - before < LEAST_NEWS) throw new Error(`only ${bytes - before} bytes of news came to a page`)
    if (process.env['BENCH_DEBUG']) console.error(`\n${bytes - before} bytes of news`)
    await going()
    const found: Record<
      'one' | 'many',
      { joining: Shares; steady: Shares; memory: number; masterMemory: number }
    > = {
      one: await withPages(1),
      many: await withPages(PAGES),
    }
    progress(`${PAGES} pages that do not read`)
    await tellPages({ read: false })
    await coming()
    await tellSlaves({ news: NEWS })
    const stopped = residentMiB(webserver)
    await tellPages({ open: 0 })
    await going()
    progress('a real browser')
    const stall = await stalls()
    const { one, many } = found
    return {
      joining: { one: one.joining, many: many.joining },
      steady: { one: one.steady, many: many.steady },
      memory: { one: one.memory, many: many.memory },
      news: { one: read, stopped },
      masterMemory: { one: one.masterMemory, many: many.masterMemory },
      ...(stall && { stall }),
    }

    async function withPages(count: number) {
      progress(`1,000 slaves, pages: ${count}`)
      await tellPages({ open: count })
      const joining = await coming()
      const steady = await watching()
      const memory = residentMiB(webserver)
      const masterMemory = residentMiB(master)
      await going()
      return { joining, steady, memory, masterMemory }
    }

    async function stalls() {
      // A new master knows of none that have gone, so that each row is a new one.
      master.kill('SIGKILL')
      await start('master', 'Listening on')
      await sleep(SETTLE_MS)
      const browser = await openBrowser(address)
      if (!browser) return undefined
      try {
        await browser.longest()
        await tellSlaves({ join: { count: SLAVES, perSecond: PER_SECOND } })
        const joining = await browser.longest()
        await sleep(SETTLE_MS)
        await browser.longest()
        await sleep((SLAVES / PER_SECOND) * 1_000)
        return { joining, steady: await browser.longest() }
      } finally {
        await browser.close()
      }
    }
  } finally {
    end([...started, ...children])
    rmSync(folder, { recursive: true, force: true })
  }
}
