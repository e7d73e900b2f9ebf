/**
 * What the cluster can do: functions by their names. Every node has this file, and says which of them, in which version, it
 * can do. What goes over the wire is a name and an input, and never code: who may submit can have done what stands here, and
 * nothing else. Write yours, and put it here; change one, and give it another version.
 */
import { appendFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineTasks } from '@rpi-cluster/core/worker'
import { draw, type Tile } from './picture.ts'

export const tasks = defineTasks({
  /** Draws a tile of a picture. Drawn twice, it is the same. */
  mandelbrot: { version: 1, seconds: 60, run: (tile: Tile, { progress }) => draw(tile, progress) },

  /** Writes a line into a file. Done twice, there are two lines: who hands it in has to live with that. */
  note: { version: 1, run: ({ file, line, seconds }: Note) => write({ file, line, seconds }) },

  /** What no task should do, to see what becomes of it. */
  trouble: { version: 1, seconds: 5, memoryMb: 100, run: (kind: string) => make(kind) },
})

interface Note {
  file: string
  line: string
  /** How long it takes after that. */
  seconds: number
}

async function write({ file, line, seconds = 0 }: Note): Promise<string> {
  await appendFile(file, `${line}\n`)
  await sleep(seconds * 1_000)
  return `Written: ${line}`
}

function make(kind: string): string {
  const kept: Buffer[] = []
  if (kind === 'throw') throw new Error('This task throws')
  if (kind === 'exit') process.exit(3)
  if (kind === 'abort') process.abort()
  if (kind === 'kill-node') process.kill(process.ppid, 'SIGKILL')
  while (kind === 'loop');
  while (kind === 'allocate') kept.push(Buffer.alloc(1024 * 1024, 1))
  return `There is no trouble "${kind}", only throw, loop, allocate, exit, abort, and kill-node`
}
