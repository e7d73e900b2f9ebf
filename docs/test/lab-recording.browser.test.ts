/** A recording of the lab, shown on the site. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findChapter } from '@rpi-cluster/tutorial/chapters/chapters'
import type { LabEvent } from '@rpi-cluster/tutorial/lab/events'
import { Lab } from '@rpi-cluster/tutorial/lab/lab'
import { Recorder } from '@rpi-cluster/tutorial/lab/recording'
import { freePorts } from '@rpi-cluster/tutorial/run/environment'
import { ROOT } from '@rpi-cluster/tutorial/workspace/repository'
import { expect, onTestFinished, vi } from 'vitest'
import { test, visit } from './support/page.ts'

const PATIENCE = { timeout: 60_000, interval: 20 }

/** A recording of a real cluster, of which a link is cut when all are there. */
async function record(file: string): Promise<void> {
  const chapter = findChapter('11')
  const events: LabEvent[] = []
  const lab = await Lab.start(chapter, { copies: { slave: 2 }, ports: await freePorts([chapter]) })
  try {
    const { chapterName, lanes, seed, speed } = lab
    const began = new Date().toISOString()
    const header = { version: 1 as const, chapter: chapterName, lanes: [...lanes], seed, speed, began }
    const recorder = await Recorder.open(file, header, () => {})
    recorder.add(lab.history())
    lab.onEvents((some) => {
      events.push(...some)
      recorder.add(some)
    })
    const joined = () => events.filter((event) => event.type === 'line' && / has joined/.test(event.text))
    await vi.waitFor(() => expect(joined()).toHaveLength(2), PATIENCE)
    await lab.do({ do: 'cut', lane: 'slave 2' })
    const lost = (event: LabEvent) => event.type === 'ended' && event.reset === true
    await vi.waitFor(() => expect(events.some(lost)).toBe(true), PATIENCE)
    await lab.close()
    await recorder.close()
  } finally {
    await lab.close()
  }
}

test('a recording is shown on the time line, as is one of before; what is none is told', async ({ page }) => {
  const folder = mkdtempSync(join(tmpdir(), 'recording-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'own.lab.jsonl')
  await record(file)
  await visit(page, 'lab/')
  const choose = page.getByLabel('Show a recording here')
  const shown = page.locator('.lab-recording')

  await choose.setInputFiles(file)
  const count = readFileSync(file, 'utf8').trim().split('\n').length - 1
  await shown.getByText(`11-reconnection: ${count} events`).waitFor()
  const list = shown.locator('.timeline-list')
  await expect.poll(() => list.textContent(), PATIENCE).toMatch(/cut/)
  expect(await shown.textContent()).toMatch(/slave 2/)

  await choose.setInputFiles(join(ROOT, 'docs/recordings/06-slave-details.wire.json'))
  await shown.getByText(/06-slave-details: \d+ events/).waitFor()
  await expect.poll(() => list.textContent(), PATIENCE).toMatch(/machine_details/)

  const wrong = join(folder, 'wrong.jsonl')
  writeFileSync(wrong, 'hello\n')
  await choose.setInputFiles(wrong)
  await shown.getByText('wrong.jsonl is no recording: pnpm lab writes one').waitFor()

  const [header, first] = readFileSync(file, 'utf8').split('\n')
  writeFileSync(wrong, [header, '{"oh', first, ''].join('\n'))
  await choose.setInputFiles(wrong)
  await shown.getByText('wrong.jsonl:2: this line is no event of a recording').waitFor()

  writeFileSync(wrong, '{"chapter":"06-slave-details","lanes":["one"],\n"connections":[')
  await choose.setInputFiles(wrong)
  await shown.getByText('wrong.jsonl is damaged: ').waitFor()
})
