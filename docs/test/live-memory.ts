/**
 * Whether a cluster that runs in the page takes more and more memory: `pnpm site:live-memory`, or for another number of
 * minutes of its own time. Eight nodes run thirty times as fast as real time, and now and then what is still needed is
 * counted, in the page and in each worker. Ends with exit code 1 where that has grown.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { CDPSession } from 'playwright-core'
import { engineFiles, LiveRun, launchBrowser, openPage } from './support/live-cluster.ts'

const CHAPTER = '13-slave-class'

/** One listens, and so many connect: as many as a page may have. */
const CONNECTING = 7

const SPEED = 30

/** How many looks there are. The first are not judged: programs are compiled, and logs are begun. */
const LOOKS = 12
const NOT_JUDGED = 4

/**
 * How much more the later half of the looks may find than the earlier, all together, in bytes: the nodes' log files are in
 * memory here, and those of eight nodes grow by about that much in half an hour.
 */
const MOST_GROWTH = 4_000_000

/** The heaps of a page and its workers, after what nobody needs was collected. */
class Heaps {
  readonly #session: CDPSession
  readonly #workers = new Set<string>()
  readonly #waiting = new Map<number, (result: unknown) => void>()
  #lastId = 0

  constructor(session: CDPSession) {
    this.#session = session
  }

  async begin(): Promise<void> {
    this.#session.on('Target.attachedToTarget', ({ sessionId }) => void this.#workers.add(sessionId))
    this.#session.on('Target.detachedFromTarget', ({ sessionId }) => void this.#workers.delete(sessionId))
    this.#session.on('Target.receivedMessageFromTarget', ({ message }) => {
      const { id, result } = JSON.parse(message)
      this.#waiting.get(id)?.(result)
      this.#waiting.delete(id)
    })
    const attach = { autoAttach: true, waitForDebuggerOnStart: false, flatten: false }
    await this.#session.send('Target.setAutoAttach', attach)
  }

  /** That of the page first, in bytes. */
  async used(): Promise<number[]> {
    await this.#session.send('HeapProfiler.collectGarbage')
    const { usedSize } = await this.#session.send('Runtime.getHeapUsage')
    const workers = [...this.#workers].map(async (worker) => {
      await this.#ask(worker, 'HeapProfiler.collectGarbage')
      const { usedSize, backingStorageSize = 0 } = (await this.#ask(worker, 'Runtime.getHeapUsage')) as {
        usedSize: number
        backingStorageSize?: number
      }
      return usedSize + backingStorageSize
    })
    return [usedSize, ...(await Promise.all(workers))]
  }

  async #ask(sessionId: string, method: string): Promise<unknown> {
    this.#lastId += 1
    const id = this.#lastId
    const answered = new Promise((resolve) => this.#waiting.set(id, resolve))
    await this.#session.send('Target.sendMessageToTarget', {
      sessionId,
      message: JSON.stringify({ id, method }),
    })
    return answered
  }
}

const minutes = Number(process.argv[2] ?? 60)
const browser = await launchBrowser()
try {
  const page = await openPage(browser, await engineFiles())
  const heaps = new Heaps(await page.context().newCDPSession(page))
  await heaps.begin()
  const run = await LiveRun.start(page, CHAPTER, { copies: CONNECTING, speed: SPEED })
  const looks: { minute: number; page: number; workers: number; nodes: number }[] = []
  for (let look = 1; look <= LOOKS; look += 1) {
    while ((await run.seconds()) < (look * minutes * 60) / LOOKS) await sleep(500)
    // The view keeps as many as it shows; here nobody looks.
    await page.evaluate(() => {
      window.events.length = 0
    })
    const [own, ...workers] = await heaps.used()
    const sum = workers.reduce((all, one) => all + one, 0)
    looks.push({
      minute: Math.round((await run.seconds()) / 60),
      page: own ?? 0,
      workers: sum,
      nodes: workers.length,
    })
  }
  console.table(looks)
  const judged = looks.slice(NOT_JUDGED).map(({ page, workers }) => page + workers)
  const half = judged.length / 2
  const mean = (some: number[]) => some.reduce((sum, one) => sum + one, 0) / some.length
  const growth = mean(judged.slice(half)) - mean(judged.slice(0, half))
  console.log(`Later looks found ${Math.round(growth / 1000)} kB more than earlier ones.`)
  if (growth > MOST_GROWTH) process.exitCode = 1
} finally {
  await browser.close()
}
