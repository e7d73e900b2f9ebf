/**
 * What the cluster can do: functions by their names. Every node has this file, and says which of them, in which version, it
 * can do. What goes over the wire is a name and an input, and never code: who can submit, can have done what stands here, and
 * nothing else. Write yours, and put it here; change one, and give it another version.
 */
import { appendFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineTasks } from '@rpi-cluster/core/worker'
import type { Tile } from './picture.ts'

export const tasks = defineTasks({
  /** A tile of the Mandelbrot set: for each pixel a byte, how soon it flees. */
  mandelbrot: { version: 1, seconds: 60, run: (tile: Tile) => Buffer.from(mandelbrot(tile)).toString('base64') },

  /** Writes a line into a file. Done twice, there are two lines: who submits it has to live with that. */
  note: {
    version: 1,
    async run({ file, line, seconds = 0 }: { file: string; line: string; seconds?: number }) {
      await appendFile(file, `${line}\n`)
      await sleep(seconds * 1_000)
      return `Written: ${line}`
    },
  },

  /** What no task should do, to see what becomes of it. */
  trouble: { version: 1, seconds: 5, memoryMb: 100, run: (kind: string) => troubleOf(kind) },
})

/** How many rounds a point is followed. One that has not fled by then belongs to the set. */
const ROUNDS = 1_000

function mandelbrot({ left, top, step, width, height }: Tile): Uint8Array {
  const bytes = new Uint8Array(width * height)
  for (let index = 0; index < bytes.length; index += 1) {
    const x = left + step * (index % width)
    const y = top - step * Math.floor(index / width)
    bytes[index] = brightnessOf(roundsOf(x, y))
  }
  return bytes
}

/** After how many rounds of z² + c a point has fled: is further away than 2, from where none comes back. */
function roundsOf(x: number, y: number): number {
  let [real, imaginary] = [0, 0]
  for (let rounds = 0; rounds < ROUNDS; rounds += 1) {
    const [squareOfReal, squareOfImaginary] = [real * real, imaginary * imaginary]
    if (squareOfReal + squareOfImaginary > 4) return rounds
    imaginary = 2 * real * imaginary + y
    real = squareOfReal - squareOfImaginary + x
  }
  return ROUNDS
}

/** Black for the set, and around it the brighter the longer a point stays. */
function brightnessOf(rounds: number): number {
  return rounds === ROUNDS ? 0 : Math.round(255 * (Math.log1p(rounds) / Math.log1p(ROUNDS)))
}

function troubleOf(kind: string): string {
  const kept: Buffer[] = []
  if (kind === 'throw') throw new Error('This task throws')
  if (kind === 'exit') process.exit(3)
  if (kind === 'abort') process.abort()
  if (kind === 'kill-node') process.kill(process.ppid, 'SIGKILL')
  while (kind === 'loop' || kind === 'allocate') if (kind === 'allocate') kept.push(Buffer.alloc(1 << 20, 1))
  return `There is no trouble "${kind}", only throw, loop, allocate, exit, abort, and kill-node`
}
