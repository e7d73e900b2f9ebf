/** A bare page with the engine that runs clusters, as the build makes it, and what the tests ask of it. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { allChapters, findChapter } from '@rpi-cluster/tutorial/chapters/chapters'
import type { LabEvent } from '@rpi-cluster/tutorial/lab/events'
import { build } from 'esbuild'
import type { Browser, Page } from 'playwright-core'
import { liveChapter, liveWorker } from '../../live/bundle.ts'
import type { LiveChapter } from '../../live/chapter.ts'
import type { LiveCluster, LiveOptions } from '../../live/cluster.ts'
import { findChromium, launch } from './chromium.ts'

const LIVE = join(dirname(fileURLToPath(import.meta.url)), '../../live')

/** Where the page is: no such place is asked, its files are handed over. Workers and `crypto` want a secure one. */
const AT = 'https://live.test/'

const PAGE = `<!doctype html>
<title>Live</title>
<script type="module">
import { LiveCluster } from '${AT}cluster.js'
Object.assign(window, { LiveCluster })
</script>`

declare global {
  interface Window {
    LiveCluster: typeof LiveCluster
    cluster: LiveCluster
    events: LabEvent[]
  }
}

/** A browser for clusters. Nothing where there is none. */
export async function launchBrowser(): Promise<Browser> {
  const path = findChromium()
  if (path === undefined)
    throw new Error(
      'No Chromium is here: set CHROMIUM to the path of one, or install it: apt install chromium',
    )
  return launch(path)
}

/** What the page loads, by its name. */
export async function engineFiles(): Promise<Record<string, string>> {
  const { outputFiles } = await build({
    entryPoints: [join(LIVE, 'cluster.ts')],
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2023',
  })
  return { 'cluster.js': outputFiles[0]?.text ?? '', 'worker.js': await liveWorker(allChapters()) }
}

/** Opens the page. */
export async function openPage(browser: Browser, files: Record<string, string>): Promise<Page> {
  const page = await browser.newPage()
  await page.route(`${AT}**`, (route) => {
    const name = new URL(route.request().url()).pathname.slice(1)
    const body = files[name]
    return route.fulfill(
      body === undefined
        ? { contentType: 'text/html', body: PAGE }
        : { contentType: 'text/javascript', body },
    )
  })
  await page.goto(AT)
  return page
}

/** A chapter's cluster that runs in a page. */
export class LiveRun {
  readonly page: Page

  private constructor(page: Page) {
    this.page = page
  }

  static async start(
    page: Page,
    chapter: string,
    options: Omit<LiveOptions, 'worker'> & { speed?: number } = {},
  ): Promise<LiveRun> {
    const live = liveChapter(findChapter(chapter))
    if (!live) throw new Error(`${chapter} does not run in a page`)
    return LiveRun.startThese(page, live, options)
  }

  /** Programs of no chapter. */
  static async startThese(
    page: Page,
    live: LiveChapter,
    options: Omit<LiveOptions, 'worker'> & { speed?: number } = {},
  ): Promise<LiveRun> {
    await page.evaluate(
      async ({ live, at, options: { speed = 1, ...options } }) => {
        window.cluster?.close()
        window.events = []
        window.cluster = new window.LiveCluster(live, { ...options, worker: `${at}worker.js` }, (events) => {
          window.events.push(...events)
        })
        window.cluster.setSpeed(speed)
        await window.cluster.start()
      },
      { live, at: AT, options },
    )
    return new LiveRun(page)
  }

  events(): Promise<LabEvent[]> {
    return this.page.evaluate(() => window.events)
  }

  /** What has happened since the last mark: the time of the cluster. */
  seconds(): Promise<number> {
    return this.page.evaluate(() => window.cluster.seconds)
  }

  async lines(lane?: string): Promise<string[]> {
    const events = await this.events()
    return events.flatMap((event) =>
      event.type === 'line' && (lane === undefined || event.lane === lane) ? [event.text] : [],
    )
  }

  /** Waits until a lane has said it, so many times. */
  async said(lane: string, text: string | RegExp, times = 1): Promise<void> {
    const { source, flags } = typeof text === 'string' ? { source: escapeRegExp(text), flags: '' } : text
    try {
      await this.page.waitForFunction(
        ({ lane, source, flags, times }) => {
          const wanted = new RegExp(source, flags)
          const said = window.events.filter(
            (event) => event.type === 'line' && event.lane === lane && wanted.test(event.text),
          )
          return said.length >= times
        },
        { lane, source, flags, times },
        { timeout: 60_000, polling: 20 },
      )
    } catch {
      throw new Error(`${lane} did not say ${text}. Said was:\n${(await this.lines()).join('\n')}`)
    }
  }

  async ended(lane: string): Promise<string | undefined> {
    await this.page.waitForFunction(
      (lane) =>
        window.events.some(
          (event) => event.type === 'state' && event.lane === lane && event.state === 'ended',
        ),
      lane,
      { timeout: 60_000, polling: 20 },
    )
    const events = await this.events()
    const end = events.findLast((event) => event.type === 'state' && event.lane === lane)
    return end?.type === 'state' ? end.how : undefined
  }

  do(action: Parameters<LiveCluster['do']>[0]): Promise<void> {
    return this.page.evaluate((action) => window.cluster.do(action), action)
  }

  signal(lane: string, signal: 'SIGINT' | 'SIGTERM'): Promise<void> {
    return this.page.evaluate(([lane, signal]) => window.cluster.signal(lane, signal), [
      lane,
      signal,
    ] as const)
  }
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
