/** Adds empty tasks to BullMQ: `bullmq-submitter.ts PORT`. Told how many, it adds them in bulk, and tells when all are in. */
import { Queue } from 'bullmq'
import { QUEUE, REMOVE } from './bullmq-queue.ts'

const port = Number(process.argv[2])
const queue = new Queue(QUEUE, { connection: { host: '127.0.0.1', port }, defaultJobOptions: REMOVE })

process.on('disconnect', () => process.exit())
await queue.waitUntilReady()
process.on('message', async ({ count, bulk }: { count: number; bulk: number }) => {
  for (let added = 0; added < count; added += bulk) {
    const jobs = Array.from({ length: Math.min(bulk, count - added) }, () => ({ name: 'empty', data: {} }))
    await queue.addBulk(jobs)
  }
  process.send?.({})
})
process.send?.({})
