import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from '@rpi-cluster/tutorial/harness'
import { onTestFinished, vi } from 'vitest'

const PATIENCE = { timeout: 60_000, interval: 50 }

const SLAVES = 100
const BROWSERS = 1_000

/** A connection, with what has come over it. */
async function open(port: number, says = '') {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  onTestFinished(() => void socket.destroy())
  const end = { socket, received: '', isClosed: false }
  socket.on('error', () => {})
  socket.on('data', (text: string) => {
    end.received += text
  })
  socket.on('close', () => {
    end.isClosed = true
  })
  await once(socket, 'connect')
  socket.write(says)
  return end
}

/** What hostile browsers do: say nothing, half a request, a little at a time, or ask and not read. */
const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n'
const WAYS: ((socket: Socket) => void)[] = [
  () => {},
  (socket) => socket.write(REQUEST),
  (socket) => {
    const trickle = setInterval(() => socket.write('X: y\r\n'), 200)
    socket.write(REQUEST)
    socket.on('close', () => clearInterval(trickle))
  },
  (socket) => socket.pause().write(`${REQUEST}\r\n`.repeat(100)),
]

test('a thousand hostile browsers at the page keep no slave waiting, and nobody from the page', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.run('master')
  const webserver = await chapter.run('webserver')
  await webserver.says(/Serving the page/)
  const [page = 0] = chapter.portsOf('webserver')
  const slaves = await Promise.all(Array.from({ length: SLAVES }, () => open(chapter.port)))
  // They ask all the while.
  let asked = 0
  const ask = () => {
    const question = JSON.stringify({ type: 'info', payload: 'computer_details', id: asked })
    asked += 1
    for (const { socket } of slaves) socket.write(`${question}\r`)
  }
  const asking = setInterval(ask, 200)
  onTestFinished(() => clearInterval(asking))

  // One after the other, so that those who are turned away have been here.
  const crowd: Awaited<ReturnType<typeof open>>[] = []
  for (let number = 0; number < BROWSERS; number += 1) {
    const browser = await open(page)
    WAYS[number % WAYS.length]?.(browser.socket)
    crowd.push(browser)
  }
  const answer = await fetch(`http://127.0.0.1:${page}/`)
  expect(await answer.text()).toMatch(/The master is here/)
  clearInterval(asking)
  await vi.waitFor(() => {
    expect(slaves.filter(({ isClosed }) => isClosed)).toEqual([])
    const answers = slaves.map(({ received }) => received.match(/"type":"master_info"/g)?.length)
    expect(new Set(answers)).toEqual(new Set([asked]))
  }, PATIENCE)
  // Who does not read does not see its end.
  expect(crowd.filter(({ socket, isClosed }) => !isClosed && !socket.isPaused()).length).toBeLessThanOrEqual(
    128,
  )
  expect(webserver.messages.join('\n')).toMatch(/^Turned away 127\.0\.0\.1:\d+: it has waited longest/m)
  expect([...master.messages, ...webserver.messages].filter((line) => /^(Lost|Nothing)/.test(line))).toEqual(
    [],
  )
  await webserver.stop()
  expect(webserver.exitCode).toBe(0)
})
