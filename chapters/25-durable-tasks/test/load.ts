/**
 * Hands in tasks as fast as they are taken, in many small lots at once, until it is told by SIGUSR2 that it is enough. It
 * prints `+ID` for each that was acknowledged, and for each that has ended `-ID`, and what is wrong with it, if anything is.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLogger } from '@rpi-cluster/core/logging'
import { draw, tilesOf } from '../src/picture.ts'
import { asSubmitter } from '../src/submitter.ts'

const LOTS = 16
const A_LOT = 5

/** How many may be open before nobody hands in more. */
const MOST_OPEN = 500

const log = createLogger('load')
const tiles = tilesOf({ width: 400, tile: 16 }).map((tile) => ({ ...tile, iterations: 60 }))
const right = new Map<string, string>()
let enough = false
const told = once(process, 'SIGUSR2').then(() => {
  enough = true
})

await asSubmitter(log, async (client) => {
  const handIn = async (lot: number) => {
    for (let number = 0; !enough; number += A_LOT) {
      while (client.open > MOST_OPEN && !enough) await sleep(10)
      const tasks = Array.from({ length: A_LOT }, (_, index) => {
        const tile = tiles[(lot * 31 + number + index) % tiles.length]
        return { name: 'mandelbrot', input: tile, group: `lot-${lot}`, id: `${lot}/${number + index}`, tile }
      })
      for (const { id, tile } of tasks) if (tile) right.set(id, draw(tile).pixels)
      for (const id of await client.submit(tasks, { follow: true })) console.log(`+${id}`)
    }
  }
  const all = Promise.all(Array.from({ length: LOTS }, (_, lot) => handIn(lot)))
  while (!enough || client.open > 0) {
    await sleep(10) // with nothing open its ends are over at once
    for await (const { id, state, result, reason } of client.ends()) {
      const { pixels } = Object(result)
      const isRight = state === 'done' && pixels !== undefined && pixels === right.get(id)
      console.log(`-${id}${isRight ? '' : ` ${state} ${reason ?? 'and not right'}`}`)
      right.delete(id)
    }
  }
  await Promise.all([all, told])
})
