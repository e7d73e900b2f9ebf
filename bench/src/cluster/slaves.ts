/**
 * Many slaves in one process, on bare sockets, so that the master is what is measured: `slaves.ts PORT HOST`.
 * It is told how many more to connect, how many at a time, and what else to do.
 */
import { connect, type Socket } from 'node:net'

/** What the slaves are told. */
export interface Order {
  /** How many more slaves to connect. Each says hello as soon as it is connected. */
  connect?: number
  /** How many may be connecting at a time. */
  atATime?: number
  /** Send one beat from each slave in so many ms, spread evenly, from now on. */
  beatEveryMs?: number
}

/** What they tell when they are done. */
export interface Done {
  connected: number
  /** How many were refused or lost, up to now. */
  failed: number
}

const [port, host = ''] = process.argv.slice(2)
const sockets: Socket[] = []
let failed = 0
let asked = 0

process.on('disconnect', () => process.exit())
process.on('message', async ({ connect: count = 0, atATime = count, beatEveryMs }: Order) => {
  const last = asked + count
  const connectNext = async () => {
    while (asked < last) {
      asked += 1
      await connectOne(asked)
    }
  }
  await Promise.all(Array.from({ length: atATime }, connectNext))
  if (beatEveryMs) beat(beatEveryMs)
  process.send?.({ connected: sockets.length, failed } satisfies Done)
})

function connectOne(n: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port: Number(port), host, noDelay: true })
    socket.on('connect', () => {
      sockets.push(socket)
      socket.write(`${JSON.stringify({ type: 'hello', payload: `slave ${n} of ${process.pid}` })}\r`)
      resolve()
    })
    socket.on('error', () => {
      failed += 1
      resolve()
    })
  })
}

/** A few slaves at each turn, as slaves that were started at any time would. */
function beat(everyMs: number): void {
  const turnMs = 5
  const each = sockets.length / (everyMs / turnMs)
  let due = 0
  let next = 0
  setInterval(() => {
    for (due += each; due >= 1; due -= 1) {
      next = (next + 1) % sockets.length
      sockets[next]?.write(
        `${JSON.stringify({ type: 'message', payload: `I am still alive, client: ${10_000 + next}` })}\r`,
      )
    }
  }, turnMs)
}
