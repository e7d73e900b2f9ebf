/**
 * The master of 10,000 slaves, and its bare counterpart: `master.ts core` and `master.ts bare`. Asked at any
 * time, it tells how many are connected, how many messages came, and what it has used.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { handleMessages } from '@rpi-cluster/core/messages'
import { listen } from '@rpi-cluster/core/sockets'
import { noLog } from '../no-log.ts'

/** What a master tells of itself. */
export interface Report {
  port: number
  connected: number
  messages: number
  /** How many different slaves said hello. */
  hellos: number
  /** Resident memory after a collection, in bytes. */
  memory: number
  /** Processor time since it began, in ms. */
  cpuMs: number
}

let messages = 0
const hellos = new Set<unknown>()

const masters: Record<string, () => Promise<{ port: number; connected: () => number }>> = {
  async core() {
    const stop = new AbortController().signal
    const handlers = {
      hello(name: unknown) {
        messages += 1
        hellos.add(name)
      },
      message() {
        messages += 1
      },
    }
    const { address, connections } = await listen(
      { peer: 'slave', host: '0.0.0.0', port: 0, stop, log: noLog },
      (slave) => handleMessages(slave, handlers, () => {}),
    )
    return { port: Number(address.split(':').at(-1)), connected: () => connections.size }
  },

  async bare() {
    const sockets = new Set<Socket>()
    const server = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket)
      socket.on('data', countMessage).on('error', ignore)
    })
    await once(server.listen(0, '0.0.0.0'), 'listening')
    return { port: (server.address() as AddressInfo).port, connected: () => sockets.size }
  },
}

function countMessage(): void {
  messages += 1
}

function ignore(): void {}

const master = await masters[process.argv[2] ?? '']?.()
if (!master) throw new Error('Which master?')

process.on('disconnect', () => process.exit())
process.on('message', ({ collect }: { collect: boolean }) => {
  for (let times = 0; collect && times < 3; times += 1) globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  const report: Report = {
    port: master.port,
    connected: master.connected(),
    messages,
    hellos: hellos.size,
    memory: process.memoryUsage.rss(),
    cpuMs: (user + system) / 1000,
  }
  process.send?.(report)
})
