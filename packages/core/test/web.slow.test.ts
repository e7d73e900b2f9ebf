import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createSite, serveSite } from '../src/web.ts'
import { recordingLog, stopAfterTest } from './support.ts'

/** A request has 5 s, and its end is seen within another second. */
const PATIENCE = { timeout: 60_000, interval: 50 }

test('who says nothing, half a request, a byte a second, or takes no answer is cut off', {
  timeout: 120_000,
}, async () => {
  const { log } = recordingLog()
  const site = createSite({ log })
  site.get('/', (context) => context.text('x'.repeat(100_000)))
  const { address } = await serveSite(site, { host: '127.0.0.1', port: 0, stop: stopAfterTest().signal, log })
  const port = Number(new URL(address).port)

  async function hostile(begin: string) {
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write(begin)
    const ended = { is: false }
    socket.on('close', () => {
      ended.is = true
    })
    return { socket, ended }
  }
  const silent = await hostile('')
  const half = await hostile('GET / HTTP/1.1\r\nHost: local')
  const slow = await hostile('GET / HTTP/1.1\r\nHost: localhost\r\n')
  const trickle = setInterval(() => slow.socket.write('X: y\r\n'), 500)
  onTestFinished(() => clearInterval(trickle))
  for (const { socket } of [silent, half, slow]) socket.resume()
  const deaf = await hostile('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(500))
  deaf.socket.pause()

  await vi.waitFor(
    () => expect([silent, half, slow].map(({ ended }) => ended.is)).toEqual([true, true, true]),
    PATIENCE,
  )
  // It reads nothing, so that it does not see its end before it reads.
  await vi.waitFor(async () => {
    deaf.socket.write('x')
    expect(deaf.ended.is).toBe(true)
  }, PATIENCE)
})
