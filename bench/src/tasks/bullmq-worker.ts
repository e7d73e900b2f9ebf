/**
 * A worker of BullMQ whose tasks are empty: `bullmq-worker.ts PORT CONCURRENCY`. It tells that it is there, and then how many
 * it has done.
 */
import { Worker } from 'bullmq'
import { QUEUE, REMOVE } from './bullmq-queue.ts'

/** How often that is told, in ms. */
const TELL_MS = 5

const [port = 0, concurrency = 0] = process.argv.slice(2).map(Number)
let [done, told] = [0, 0]

const worker = new Worker(QUEUE, async () => {}, {
  connection: { host: '127.0.0.1', port },
  concurrency,
  ...REMOVE,
})
worker.on('completed', () => {
  done += 1
})

process.on('disconnect', () => process.exit())
await worker.waitUntilReady()
process.send?.({})
setInterval(() => {
  if (done !== told) process.send?.({ done })
  told = done
}, TELL_MS)
