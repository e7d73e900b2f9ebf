import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type ChapterCopy, sayTo } from '@rpi-cluster/tutorial/harness'
import { expect } from 'vitest'

export const PATIENCE = { timeout: 30_000, interval: 20 }

/** Sets how often vitals are sent, in seconds. */
export async function sendEvery(chapter: ChapterCopy, seconds: number): Promise<void> {
  const text = readFileSync(join(chapter.folder, 'rpicluster.cfg'), 'utf8')
  await chapter.write('rpicluster.cfg', text.replace(/^vitals_seconds =.*$/m, `vitals_seconds = ${seconds}`))
}

/** A Pi's firmware, which says how hot it is, where the machine of this test has no file for that. */
export function firmware(chapter: ChapterCopy): Record<string, string> {
  const command = join(chapter.folder, 'vcgencmd')
  writeFileSync(command, `#!/bin/sh\necho "temp=48.3'C"\n`)
  chmodSync(command, 0o755)
  return { PATH: `${chapter.folder}${delimiter}${process.env['PATH']}` }
}

export const frame = (type: string, payload: unknown, more: object = {}) =>
  `${JSON.stringify({ type, payload, ...more })}\r`

/** A secondary called `pi #7` is this hot, in °C. */
export async function isHot(chapter: ChapterCopy, degrees: number): Promise<void> {
  await sayTo(
    chapter.port,
    frame('node_baseinfo', { hostname: 'pi', client: 7 }) + frame('vitals', { cpu_temperature: degrees }),
  )
}

/** What the page of a web server has. */
export async function page(chapter: ChapterCopy, path: string): Promise<string> {
  const [port] = chapter.portsOf('webserver')
  const response = await fetch(`http://127.0.0.1:${port}${path}`)
  expect(response.status).toBe(200)
  return response.text()
}
