/** A cluster of members, as processes, and its page in a browser. */
import { ChapterCopy } from '@rpi-cluster/tutorial/harness/chapter-copy'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { expect } from 'vitest'

/** Longer than an election takes on a busy machine. */
export const PATIENCE = { timeout: 60_000 }

export interface Cluster {
  /** Opens the page, as somebody who may change something or as a guest. */
  open(options?: BrowserContextOptions & { asGuest?: boolean }): Promise<Page>
  kill(name: string): Promise<void>
  start(name: string): Promise<void>
  /** Runs a command to its end, and gives what it says. */
  run(command: string, ...args: string[]): Promise<string>
  /** What a page may never do: messages on the console, answers that say no. */
  problems: string[]
}

const env = { TUTORIAL_CLOCK_SPEED: '1' }

/** Starts some nodes of a chapter, called node-1 and so on, and its web server. */
export async function useCluster(
  chapterName: string,
  names: readonly string[],
  browser: Browser,
  use: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const chapter = await ChapterCopy.make(chapterName)
  const problems: string[] = []
  const running = new Map<string, Awaited<ReturnType<ChapterCopy['run']>>>()
  const contexts: { close(): Promise<void> }[] = []
  const start = async (name: string) => {
    const node = await chapter.run('node', { copy: Number(name.slice('node-'.length)), env })
    running.set(name, node)
    await node.says(/ Listening on /)
  }
  await Promise.all(names.map(start))
  const webserver = await chapter.run('webserver')
  await webserver.says(/ Connected to /)
  const link = /http:\S+\?token=[\w-]{43}/.exec(webserver.lines.join('\n'))?.[0] ?? 'no link'
  await use({
    problems,
    start,
    kill: async (name) => void (await running.get(name)?.kill()),
    run: async (command, ...args) => {
      const program = await chapter.run(command, { args, env })
      await program.ends()
      return program.messages.join('\n')
    },
    async open({ asGuest = false, ...options } = {}) {
      const context = await browser.newContext(options)
      contexts.push(context)
      context.on('console', (message) => problems.push(message.text()))
      context.on('weberror', (error) => problems.push(String(error.error())))
      const page = await context.newPage()
      await page.goto(asGuest ? new URL('/', link).href : link)
      return page
    },
  })
  for (const context of contexts) await context.close()
  await chapter.remove()
}

export const rows = (page: Page) => page.locator('#members tr')

/** Who leads, as the page says, when it is somebody else than this one. */
export async function leaderOn(page: Page, before = 'nobody'): Promise<string> {
  const leader = async () => {
    const text = (await page.locator('#leader').textContent()) ?? ''
    return /(node-\d) leads, in term \d+\./.exec(text)?.[1] ?? before
  }
  await expect.poll(leader, PATIENCE).not.toBe(before)
  return await leader()
}
