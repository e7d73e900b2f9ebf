import { once } from 'node:events'
import { type AddressInfo, createServer, connect as openSocket, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, vi } from 'vitest'
import { Dialogue } from '../src/dialogue.ts'
import { openKey, openKeys } from '../src/key-files.ts'
import { send } from '../src/messages.ts'
import { signedBy, signedWith } from '../src/signed.ts'
import { type Connection, connect, listen } from '../src/sockets.ts'
import { portOf, recordingLog, stopAfterTest, tempFolder } from './support.ts'

export const PATIENCE = { timeout: 20_000, interval: 5 }

/** Keys of some nodes in a folder of their own: those that a listener has, and the own one of each. */
async function keysFor(...nodes: string[]) {
  const { signal: stop } = stopAfterTest()
  const { log } = recordingLog()
  const folder = join(tempFolder(), 'keys')
  const keys = await openKeys({ folder, nodes, log, stop })
  const keyOf = (node: string) => openKey({ file: join(folder, `${node}.key`), log, stop })
  return { folder, keys, keyOf }
}

/** A listener that signs, what it has heard, and what it has logged. */
export async function signingListener(
  options: {
    nodes?: string[]
    unsigned?: string[]
    host?: string
    handlers?: Record<string, () => void>
  } = {},
) {
  const { nodes = ['pi-3', 'pi-4'], unsigned = [], host = '127.0.0.1' } = options
  const { folder, keys, keyOf } = await keysFor(...nodes)
  const stopping = stopAfterTest()
  const { signal: stop } = stopping
  const { log, records } = recordingLog()
  const heard: string[] = []
  const peers: Connection[] = []
  const listener = await listen(
    { peer: 'node', host, port: 0, stop, log, secure: signedWith(keys, { stop, log, unsigned }) },
    async (peer) => {
      peers.push(peer)
      await new Dialogue(peer, {
        answers: { time: () => ({ type: 'the_time', payload: 'noon' }) },
        unknown: (type, payload) => {
          heard.push(`${peer.node}: ${type} ${JSON.stringify(payload)}`)
        },
      }).ended
    },
  )
  const port = portOf(listener)
  const lines = () => records.map(({ msg }) => String(msg))
  const tells = (text: string | RegExp) =>
    vi.waitFor(() => expect(lines()).toContainEqual(expect.stringMatching(text)), PATIENCE)
  const hears = (...messages: string[]) => vi.waitFor(() => expect(heard).toEqual(messages), PATIENCE)
  /** A node that connects, through a tap if there is one, and says nothing yet. */
  const arrives = async (node: string, through = port, stop = stopAfterTest().signal) => {
    const key = await keyOf(node)
    return connect({ peer: 'primary', host: '127.0.0.1', port: through, stop, secure: signedBy(key) })
  }
  return { folder, keys, keyOf, port, lines, tells, heard, hears, peers, arrives, stopping, listener }
}

/** What a tap does with a piece that passes: gives on what it returns. */
type Change = (piece: Buffer) => Buffer | Buffer[]

/** A place between a node and a listener, where everything can be read, and changed. */
export async function tap(port: number) {
  const recording = { toListener: Buffer.alloc(0), toNode: Buffer.alloc(0) }
  const change: { toListener: Change; toNode: Change } = {
    toListener: (piece) => piece,
    toNode: (piece) => piece,
  }
  /** Whether an end that one side has come to is passed on. */
  const passes = { end: true }
  const ends: { node: Socket; listener: Socket }[] = []
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (node) => {
    const listener = openSocket({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
    ends.push({ node, listener })
    const pass = (from: Socket, to: Socket, where: 'toListener' | 'toNode') => {
      from.on('error', () => to.destroy()).on('end', () => passes.end && to.end())
      from.on('close', () => setImmediate(() => passes.end && to.destroy()))
      from.on('data', (piece) => {
        recording[where] = Buffer.concat([recording[where], piece])
        for (const changed of [change[where](piece)].flat()) if (to.writable) to.write(changed)
      })
    }
    pass(node, listener, 'toListener')
    pass(listener, node, 'toNode')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    for (const { node, listener } of ends) for (const socket of [node, listener]) socket.destroy()
  })
  return { port: (server.address() as AddressInfo).port, recording, change, passes, ends }
}

/** A bare socket that knows nothing of keys, and all that is said to it. */
export async function stranger(port: number, localAddress?: string) {
  const socket = openSocket({ host: '127.0.0.1', port, noDelay: true, ...(localAddress && { localAddress }) })
  socket.on('error', () => {})
  await once(socket, 'connect')
  onTestFinished(() => void socket.destroy())
  const said = { text: '' }
  socket.on('data', (piece) => {
    said.text += piece.toString('latin1')
  })
  const hears = (text: string | RegExp) => vi.waitFor(() => expect(said.text).toMatch(text), PATIENCE)
  return { socket, said, hears }
}

/** Sends, and waits until it has left. */
export async function says(connection: Connection, ...texts: string[]): Promise<void> {
  for (const text of texts) await send(connection, 'says', text)
}

/** The frames of a stream, each with its separator. */
export function framesOf(stream: Buffer): Buffer[] {
  const frames: Buffer[] = []
  let begin = 0
  for (let end = stream.indexOf(0x0d); end >= 0; end = stream.indexOf(0x0d, begin)) {
    frames.push(stream.subarray(begin, end + 1))
    begin = end + 1
  }
  return frames
}
