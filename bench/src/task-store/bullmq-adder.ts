/** Adds tasks to BullMQ, one by one: `bullmq-adder.ts PORT`. Told how many do so at once, it tells how many a second are in. */
import { Queue } from 'bullmq'
import { QUEUE, REMOVE } from '../tasks/bullmq-queue.ts'
import { rateOf } from './rate.ts'

const port = Number(process.argv[2])
// What is added in one turn of the event loop goes out together: the faster of the two ways.
const connection = { host: '127.0.0.1', port, enableAutoPipelining: true }
const queue = new Queue(QUEUE, { connection, defaultJobOptions: REMOVE })
let added = 0

process.on('disconnect', () => process.exit())
await queue.waitUntilReady()
process.on('message', async ({ atOnce }: { atOnce: number }) => {
  const rate = await rateOf(atOnce, () => {
    added += 1
    return queue.add('empty', { tile: added })
  })
  process.send?.({ rate })
})
process.send?.({})
