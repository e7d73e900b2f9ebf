/** Empty tasks by BullMQ: one process adds them in bulk, four take them from Redis. */
import type { ChildProcess } from 'node:child_process'
import { end, program, told } from '../processes.ts'
import { startRedisServer } from '../redis-server.ts'

/** How BullMQ is used: the best of some that were tried. */
const BEST = { concurrency: 200, bulk: 1_000 }

const WORKERS = 4

/** How many tasks a second. Tasks are counted from the moment the first is added to the moment the last is done. */
export async function bullmqRate(
  { warmUp, tasks }: { warmUp: number; tasks: number },
  { concurrency, bulk } = BEST,
): Promise<number> {
  const redis = await startRedisServer(false)
  const children: ChildProcess[] = []
  const start = async (file: string, args: number[]) => {
    const child = program(file, [redis.port, ...args])
    children.push(child)
    await told(child)
    return child
  }
  try {
    const submitter = await start('tasks/bullmq-submitter.ts', [])
    const done = Array.from({ length: WORKERS }, () => 0)
    const all = (count: number) =>
      new Promise<void>((resolve) => {
        wanted = { count, resolve }
      })
    let wanted: { count: number; resolve: () => void } | undefined
    for (const index of done.keys()) {
      const worker = await start('tasks/bullmq-worker.ts', [concurrency])
      worker.on('message', (says: { done: number }) => {
        done[index] = says.done
        if (wanted && done.reduce((sum, one) => sum + one, 0) >= wanted.count) wanted.resolve()
      })
    }
    const add = async (count: number, inAll: number) => {
      const ended = all(inAll)
      submitter.send({ count, bulk })
      await ended
    }
    await add(warmUp, warmUp)
    const began = performance.now()
    await add(tasks, warmUp + tasks)
    return (1_000 * tasks) / (performance.now() - began)
  } finally {
    end(children)
    redis.end()
  }
}
