import type { ChapterCopy } from '@rpi-cluster/tutorial/harness'
import { expect } from 'vitest'

/** What the web server tells of a node. */
export interface Node {
  name: string
  address: string
  state: string
  uuid?: string
  copy?: boolean
  seen?: string
}

/** Runs the webserver, and says where its page is. */
export async function runWebserver(chapter: ChapterCopy) {
  const webserver = await chapter.run('webserver')
  await webserver.says(/Serving the page on http:\S+\/$/)
  const [port] = chapter.portsOf('webserver')
  return { webserver, site: `http://127.0.0.1:${port}` }
}

/** The nodes that a webserver knows, by their ids. */
export async function nodesOf(site: string): Promise<Record<string, Node>> {
  const response = await fetch(`${site}/api/nodes`)
  expect(response.status, '/api/nodes').toBe(200)
  return (await response.json()) as Record<string, Node>
}
