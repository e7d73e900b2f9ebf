/**
 * Browsers that are none: `browsers.ts PORT`. Told how many, they keep so many connections to a page open, each of which says
 * nothing, or half a request, or a few bytes at a time, or asks and does not read. One that is cut off comes again.
 */
import { connect, type Socket } from 'node:net'

/** How long one waits before it comes again, in ms, and how often a slow one says something. */
const PAUSE_MS = 500

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n'

const WAYS: ((socket: Socket) => void)[] = [
  () => {},
  (socket) => socket.write(REQUEST),
  (socket) => {
    socket.write(REQUEST)
    const trickle = setInterval(() => socket.write('X: y\r\n'), PAUSE_MS)
    socket.on('close', () => clearInterval(trickle))
  },
  (socket) => socket.pause().write(`${REQUEST}\r\n`.repeat(100)),
]

let wanted = 0
const open = new Set<Socket>()

function come(number: number): void {
  if (number >= wanted) return
  const socket = connect(Number(process.argv[2]), '127.0.0.1')
  open.add(socket)
  socket.on('error', () => {})
  socket.on('connect', () => WAYS[number % WAYS.length]?.(socket))
  socket.on('close', () => {
    open.delete(socket)
    setTimeout(() => come(number), PAUSE_MS)
  })
}

process.on('disconnect', () => process.exit())
process.on('message', ({ browsers }: { browsers: number }) => {
  wanted = browsers
  if (browsers === 0) for (const socket of open) socket.destroy()
  for (let number = 0; number < browsers; number += 1) come(number)
  process.send?.({ browsers })
})
