/**
 * A primary with a past that a test makes up: it answers on the wire as chapter 17's does, with as many nodes and as many
 * gaps as the test likes.
 */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'

export interface MadeUpNode {
  node: string
  name: string
}

/** What is asked. */
export interface About {
  vital: string
  node?: string
  from: number
  to: number
}

export interface MadeUp {
  nodes: MadeUpNode[]
  /** What a node's vital was at a time, in s since 1970. */
  value: (vital: string, node: MadeUpNode, time: number) => number | null
  /** What it is called, and its unit. */
  describe?: (vital: string) => { label: string; unit: string } | undefined
  /** What the latest vitals of each node are, from the beginning. */
  vitals: string[]
}

const STEPS = [60, 300, 1_800, 7_200, 86_400]

export class MadeUpPrimary {
  /** Whether it knows of a past. One in Python does not. */
  knowsThePast = true
  /** What was asked about. */
  readonly asked: About[] = []

  readonly #madeUp: MadeUp
  readonly #server = createServer((socket) => this.#serve(socket))
  readonly #sockets = new Set<Socket>()
  readonly #followers = new Set<Socket>()

  constructor(madeUp: MadeUp) {
    this.#madeUp = madeUp
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** Ends, as a program that is killed does. */
  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Tells new vitals of a node to who follows. */
  tell({ node, name }: MadeUpNode, values: Record<string, number>, time = new Date()): void {
    const rows = { [node]: { node, name, time: time.toISOString(), values } }
    for (const socket of this.#followers)
      say(socket, { type: 'vitals', payload: { version: 'x-2', all: false, rows, removed: [] } })
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#sockets.delete(socket)
      this.#followers.delete(socket)
    })
    let text = ''
    socket.setEncoding('utf8').on('data', (piece: string) => {
      const frames = `${text}${piece}`.split('\r')
      text = frames.pop() ?? ''
      for (const frame of frames) this.#take(socket, JSON.parse(frame))
    })
  }

  #take(socket: Socket, message: { type: string; payload: unknown; about?: About; id?: number }): void {
    const { type, payload, about, id } = message
    const { nodes, vitals } = this.#madeUp
    if (type === 'subscribe') {
      const rows = Object.fromEntries(
        nodes.map((one) => [
          one.node,
          payload === 'vitals'
            ? { ...one, values: Object.fromEntries(vitals.map((vital) => [vital, 1])) }
            : { name: one.name, address: '127.0.0.1:1', state: 'here', uuid: one.node },
        ]),
      )
      if (payload === 'vitals') this.#followers.add(socket)
      say(socket, { type: payload, payload: { version: 'x-1', all: true, rows, removed: [] } })
    } else if (type === 'info') {
      const answers: Record<string, () => object> = {
        uuid: () => ({ type: 'uuid', payload: 'f'.repeat(32) }),
        node_baseinfo: () => ({ type: 'primary_info', payload: { hostname: 'made-up' } }),
        ...(this.knowsThePast &&
          about && { history: () => ({ type: 'history', payload: this.#history(about) }) }),
      }
      const answer = answers[String(payload)]?.() ?? { type: 'bad_message', payload: 'unknown' }
      say(socket, { ...answer, id })
    }
  }

  #history(about: About) {
    this.asked.push(about)
    const { vital, node, from, to } = about
    const { nodes, value, describe } = this.#madeUp
    const step = STEPS.find((step) => (to - from) / step <= 400) ?? 86_400
    const first = Math.floor(from / step) * step
    const times = Array.from({ length: Math.ceil((to - first) / step) }, (_, index) => first + index * step)
    const lines = nodes
      .filter((one) => node === undefined || one.node === node)
      .slice(0, 100)
      .map((one) => {
        const mean = times.map((time) => value(vital, one, time))
        const times10 = (factor: number) => mean.map((value) => (value === null ? null : value * factor))
        return { ...one, mean, ...(node !== undefined && { min: times10(0.9), max: times10(1.1) }) }
      })
    return { vital, ...describe?.(vital), from, to, step, times, lines }
  }
}

function say(socket: Socket, message: object): void {
  socket.write(`${JSON.stringify(message)}\r`)
}
