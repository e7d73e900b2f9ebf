/**
 * A thousand slaves in one process, on bare sockets, that do what chapter 15's do: `slaves.ts PORT`. Each says who it is, and
 * asks the master something every 5 s. They are told to come, so many a second, to go, to come and go one at a time, and to
 * tell something new.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** What the slaves are told. */
export interface Order {
  /** How many come, and how many of them in a second. */
  join?: { count: number; perSecond: number }
  /** All go. */
  leave?: boolean
  /** One goes and comes back in so many ms, from now on; 0 for none any more. */
  changeEveryMs?: number
  /** How many times each has something new to tell of itself. */
  news?: number
}

const BEAT_MS = 5_000
/** How long between two times, in ms, and how long a text may be that the master keeps. */
const NEWS_MS = 500
const LONGEST_TEXT = 200

const QUESTION = '{"type":"info","payload":"computer_details"}\r'

const slaves = new Map<number, Socket>()
let changes: NodeJS.Timeout | undefined

function join(number: number): void {
  const socket = connect({ port: Number(process.argv[2]), host: '127.0.0.1', noDelay: true })
  slaves.set(number, socket)
  socket.write(`${hello(number, 'Cortex-A72')}${QUESTION}`)
  const beat = setInterval(() => socket.writable && socket.write(QUESTION), BEAT_MS)
  socket
    .resume()
    .on('error', () => {})
    .on('close', () => clearInterval(beat))
}

function hello(number: number, cpu: string): string {
  const payload = {
    hostname: `pi-${number}`,
    client: number,
    uuid: number.toString(16).padStart(32, '0'),
    cpu,
    cpu_cores: 4,
    cpu_percent_used: 3.1,
    ram: 4 * 1024 ** 3,
  }
  return `${JSON.stringify({ type: 'computer_details', payload })}\r`
}

async function leave(number: number): Promise<void> {
  const socket = slaves.get(number)
  slaves.delete(number)
  if (!socket || socket.destroyed) return
  socket.end()
  await once(socket, 'close')
}

async function change(): Promise<void> {
  const [first] = slaves.keys()
  if (first === undefined) return
  await leave(first)
  join(first)
}

process.on('disconnect', () => process.exit())
process.on('message', async ({ join: coming, leave: going, changeEveryMs, news = 0 }: Order) => {
  if (changeEveryMs !== undefined) {
    clearInterval(changes)
    if (changeEveryMs > 0) changes = setInterval(() => void change(), changeEveryMs)
  }
  if (going) await Promise.all([...slaves.keys()].map(leave))
  if (coming) {
    const began = performance.now()
    for (let number = 1; number <= coming.count; number += 1) {
      await sleep(Math.max(0, (number * 1_000) / coming.perSecond - (performance.now() - began)))
      join(number)
    }
  }
  for (let time = 1; time <= news; time += 1) {
    const cpu = `${time} `.padEnd(LONGEST_TEXT, 'x')
    for (const [number, socket] of slaves) socket.write(hello(number, cpu))
    await sleep(NEWS_MS)
  }
  process.send?.({ connected: slaves.size })
})
