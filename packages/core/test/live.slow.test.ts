import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { serveEvents } from '../src/event-stream.ts'
import { LiveTable } from '../src/live.ts'
import { createSite, serveSite } from '../src/web.ts'
import { recordingLog, stopAfterTest } from './support.ts'

test('a page that stops reading is cut, however much would be there for it', {
  timeout: 120_000,
}, async () => {
  const { signal: stop } = stopAfterTest()
  const { log } = recordingLog()
  const table = new LiveTable<string>()
  const site = createSite({ log })
  serveEvents(site, '/events', table)
  const { address } = await serveSite(site, { host: '127.0.0.1', port: 0, stop, log })
  const socket = connect(Number(new URL(address).port), '127.0.0.1')
  await once(socket, 'connect')
  socket.write(`GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
  const fill = setInterval(() => table.set('a', `${Math.random()} ${'x'.repeat(1_000_000)}`), 100)
  await sleep(70_000) // more than three times as long as it may take
  clearInterval(fill)
  // What the systems had in their buffers is still there to be read, and then comes the end.
  const ended = new Promise((resolve) => socket.once('close', resolve).on('error', () => {}))
  socket.resume()
  await ended
  expect(socket.bytesRead).toBeLessThan(20_000_000)
})
