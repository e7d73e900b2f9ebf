/** The recorded run of a chapter: the player, its text, and the diagram of the wire. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { allChapters } from '@rpi-cluster/tutorial/chapters/chapters'
import { bytesOf, type WireRecording } from '@rpi-cluster/tutorial/record/wire'
import { ROOT } from '@rpi-cluster/tutorial/workspace/repository'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { visible } from '../.vitepress/theme/wire-text.ts'
import { firstAndLast, siteBelow, test, visit } from './support/page.ts'

/** A second of the page's clock, which these tests turn by hand: in ms. */
const SECOND = 1000

/** How many times of a diagram are chosen at most. */
const MOST_TIMES = 60

const recorded = firstAndLast(allChapters()).map(({ name }) => ({ name, ...recordingOf(name) }))
const onWire = recorded.filter((one): one is typeof one & { wire: WireRecording } => one.wire !== undefined)

test.for(recorded)('the run of $name plays, and a pause stops it', async ({ name, lines }, { page }) => {
  const end = textUntil(lines, Number.POSITIVE_INFINITY)
  await page.clock.install()
  await visit(page, `chapters/${name}/?view=run`)
  await page.clock.pauseAt(Date.now() + 10 * SECOND)
  // Before the start it shows how it ends.
  expect(await shown(page)).toBe(end)

  await page.getByRole('button', { name: 'Play' }).click()
  await page.clock.runFor(3 * SECOND)
  await expect.poll(() => elapsed(page)).toBeGreaterThanOrEqual(2)
  await page.getByRole('button', { name: 'Pause' }).click()
  await page.getByRole('button', { name: 'Play' }).waitFor()
  await page.clock.runFor(SECOND) // what was due is on the screen
  const first = await shown(page)
  expect(first).toContain(squeezed([lines[1]?.text ?? '']))
  expect(end.startsWith(first)).toBe(true)
  expect(first.length).toBeLessThan(end.length)

  const at = await elapsed(page)
  await page.clock.runFor(9 * SECOND)
  expect(await elapsed(page)).toBe(at)
  expect(await shown(page)).toBe(first)

  // The space bar goes on.
  await page.keyboard.press('Space')
  await page.clock.runFor(60 * SECOND)
  await expect.poll(() => shown(page)).toBe(end)
})

test.for(recorded)('the run of $name can be copied as text', async ({ name, lines }, { readers }) => {
  const page = await readers.open(siteBelow, { permissions: ['clipboard-read', 'clipboard-write'] })
  await visit(page, `chapters/${name}/?view=run`)
  const transcript = page.locator('.transcript')
  await transcript.locator('summary').click()
  const text = lines.map(({ text }) => text).join('\n')
  expect(await transcript.locator('pre').textContent()).toBe(text)
  await transcript.getByRole('button', { name: 'Copy' }).click()
  await transcript.getByText('Copied').waitFor()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(text)
})

test.for(onWire)(
  'the diagram of $name has a lane for each program, and every message',
  async ({ name, wire }, { page }) => {
    await visit(page, `chapters/${name}/?view=run`)
    expect(wire.lanes.slice(0, 3).join()).toMatch(
      /^(master,slave 1,slave 2|primary,secondary 1,secondary 2|node 1,node 2,node 3|engines,node 1,node 2)$/,
    )
    expect(await page.locator('.wire .lane').allInnerTexts()).toEqual(wire.lanes)

    const items = page.locator('.wire li')
    expect(await items.count()).toBe(wire.events.length)
    expect(await page.getByText('more pieces are not shown').count()).toBe(wire.leftOut ? 1 : 0)
    const messages = wire.events.filter((event) => event.type === 'bytes')
    expect(await items.locator('.bytes').allInnerTexts()).toEqual(
      // Of what is encrypted only some happens to be text.
      messages.map(({ text }) =>
        text === undefined
          ? '(bytes that are no UTF-8)'
          : visible(text)
              .map((part) => part.text)
              .join(''),
      ),
    )
    expect(await items.locator('.who').filter({ hasText: ' bytes' }).allInnerTexts()).toEqual(
      messages.map((event) =>
        expect.stringContaining(`${event.from} to ${event.to}, ${bytesOf(event).length} bytes`),
      ),
    )
    // Each arrow begins below the lane of who speaks, and ends below the other.
    const drawn = await page.locator('.wire').evaluate((diagram) => {
      const middle = (element: Element) => {
        const { left, right } = element.getBoundingClientRect()
        return (left + right) / 2
      }
      const lanes = [...diagram.querySelectorAll('.lane')]
      const laneAt = (x: number) => lanes.find((lane) => Math.abs(middle(lane) - x) < 3)?.textContent
      return [...diagram.querySelectorAll('.arrow')].map((arrow) => {
        const { left, right } = arrow.getBoundingClientRect()
        const ends = [laneAt(left), laneAt(right)]
        return arrow.matches('.to-left') ? ends.reverse() : ends
      })
    })
    expect(drawn).toEqual(wire.events.map(({ from, to }) => [from, to]))
  },
)

test('the diagram of 06 has the machine details, and what separates them', async ({ page }) => {
  await visit(page, 'chapters/06-slave-details/?view=run')
  const details = page.locator('.wire .bytes', { hasText: '"type":"machine_details"' })
  expect(await details.first().textContent()).toMatch(
    /^\{"type":"machine_details","payload":\{"hostname":.*\}\}\\r$/,
  )
  expect(await details.first().locator('b').allInnerTexts()).toEqual(['\\r'])
  await page.locator('.wire details summary').first().click()
  const hex = page.locator('.wire details pre').first()
  expect(await hex.textContent()).toMatch(/^7b 22 74 79 70 65 22 3a /)
})

test.for(onWire)(
  'choosing a time of the diagram of $name moves the player there',
  async ({ name, wire, lines }, { page }) => {
    await visit(page, `chapters/${name}/?view=run`)
    const times = page.locator('.wire .when button')
    // From the last to the first, and so never where the player is already. Of many a part: each takes a third of a second.
    const each = Math.ceil(wire.events.length / MOST_TIMES)
    for (const [index, { at }] of [...wire.events.entries()].reverse()) {
      if (index % each > 0) continue
      await times.nth(index).click()
      await expect.poll(() => elapsed(page)).toBe(Math.floor(at))
      await expect.poll(() => shown(page)).toBe(textUntil(lines, at))
      const current = page.locator('.wire li[aria-current=step]')
      await expect
        .poll(() => current.locator('.when').allInnerTexts())
        .toEqual([expect.stringContaining(`${at.toFixed(2)} s`)])
    }
  },
)

interface Line {
  /** Seconds since the beginning. */
  at: number
  text: string
}

/** What `docs/recordings` has of a chapter. */
function recordingOf(chapter: string): { lines: Line[]; wire?: WireRecording } {
  const path = join(ROOT, 'docs/recordings', chapter)
  const [, ...events] = readFileSync(`${path}.cast`, 'utf8').trimEnd().split('\n')
  const lines = events.flatMap((event) => {
    const [at, code, data] = JSON.parse(event) as [number, string, string]
    if (code !== 'o') return []
    const text = stripVTControlCharacters(data).replace(/\r\n$/, '')
    return text.split('\r\n').map((text) => ({ at, text }))
  })
  const wire = `${path}.wire.json`
  return { lines, ...(existsSync(wire) && { wire: JSON.parse(readFileSync(wire, 'utf8')) as WireRecording }) }
}

/** What a terminal shows at a time, without its breaks, which depend on its width. */
function textUntil(lines: readonly Line[], seconds: number): string {
  return squeezed(lines.filter(({ at }) => at <= seconds).map(({ text }) => text))
}

async function shown(page: Page): Promise<string> {
  return squeezed(await page.locator('.ap-line').evaluateAll((all) => all.map((line) => line.textContent)))
}

function squeezed(lines: readonly string[]): string {
  return lines.join('').replace(/\s/g, '')
}

/** Where the player is, in seconds. */
async function elapsed(page: Page): Promise<number> {
  const [shown = ''] = await page.locator('.ap-time-elapsed').allInnerTexts()
  const [minutes = 0, seconds = 0] = shown.split(':').map(Number)
  return minutes * 60 + seconds
}
