/** Two ends that encrypt, and somebody between them. */
import { once } from 'node:events'
import { createServer, connect as openSocket, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, vi } from 'vitest'
import { openKey, openKeys } from '../src/key-files.ts'
import { type EncryptedOptions, encryptedBy, encryptedWith } from '../src/secure-sockets.ts'
import {
  type Connection,
  type ConnectOptions,
  connect,
  listen,
  type SecureListening,
} from '../src/sockets.ts'
import { portOf, recordingLog, stopAfterTest, tempFolder } from './support.ts'

export const PATIENCE = { timeout: 30_000, interval: 5 }

export const HOST = '127.0.0.1'

export async function echo(connection: Connection): Promise<void> {
  for await (const chunk of connection.chunks()) await connection.write(chunk)
}

/** A listener with keys for some nodes, in a folder of its own. */
export async function aPrimary({
  nodes = ['pi-1', 'pi-2'],
  serve = echo,
  secure: secureAs,
  maxConnections = 100,
  ...limits
}: Partial<EncryptedOptions> & {
  nodes?: string[]
  serve?: (connection: Connection) => Promise<void>
  secure?: SecureListening
  maxConnections?: number
} = {}) {
  const { signal: stop } = stopAfterTest()
  const { log, records } = recordingLog()
  const folder = join(tempFolder(), 'keys')
  const keys = await openKeys({ folder, nodes, log, stop })
  const peers: Connection[] = []
  const secure = secureAs ?? encryptedWith(keys, { stop, log, ...limits })
  const listener = await listen(
    { peer: 'secondary', host: HOST, port: 0, stop, log, secure, maxConnections },
    (connection) => {
      peers.push(connection)
      return serve(connection)
    },
  )
  const port = portOf(listener)
  const fileOf = (node: string) => join(folder, `${node}.key`)
  return {
    port,
    folder,
    keys,
    peers,
    listener,
    fileOf,
    stop,
    lines: () => records.filter(({ level }) => level !== 'debug').map(({ msg }) => msg),
    /** Waits for a line of its log. */
    says: (line: string | RegExp) =>
      vi.waitFor(
        () =>
          expect(records.map(({ msg }) => msg)).toContainEqual(
            typeof line === 'string' ? line : expect.stringMatching(line),
          ),
        PATIENCE,
      ),
    /** A connection by the key of a node, or of another file; through another port, if somebody is between. */
    connect: async (node: string, options: Partial<ConnectOptions> & { file?: string } = {}) => {
      const key = await openKey({ file: options.file ?? fileOf(node), log, stop })
      return connect({ peer: 'primary', host: HOST, port, stop, secure: encryptedBy(key), ...options })
    },
  }
}

/** Says something, and waits for its echo. */
export async function echoed(connection: Connection, text: string): Promise<void> {
  await connection.write(text)
  let heard = ''
  for await (const piece of connection) {
    heard += piece
    if (heard.length >= text.length) break
  }
  expect(heard).toBe(text)
}

/** Somebody on the way, who sees all that goes by, may change what the connecting end says, and may let nothing through. */
export async function onTheWay(
  port: number,
  change: (chunk: Buffer, socket: Socket) => Buffer = (chunk) => chunk,
) {
  const seen = { toPrimary: [] as Buffer[], toSecondary: [] as Buffer[] }
  const open = new Set<Socket>()
  let isCut = false
  const server = createServer({ noDelay: true }, (near) => {
    if (isCut) {
      near.destroy()
      return
    }
    open.add(near)
    const far = openSocket({ port, host: HOST, noDelay: true })
    near.on('data', (chunk) => {
      seen.toPrimary.push(chunk)
      far.write(change(chunk, far))
    })
    far.on('data', (chunk) => {
      seen.toSecondary.push(chunk)
      near.write(chunk)
    })
    near
      .on('error', () => {})
      .on('close', () => {
        open.delete(near)
        far.destroy()
      })
    far.on('error', () => {}).on('close', () => near.destroy())
  })
  await once(server.listen(0, HOST), 'listening')
  onTestFinished(() => void server.close())
  const { port: own } = server.address() as { port: number }
  return {
    port: own,
    toPrimary: () => Buffer.concat(seen.toPrimary),
    toSecondary: () => Buffer.concat(seen.toSecondary),
    cut: () => {
      isCut = true
      for (const near of open) near.destroy()
    },
    heal: () => {
      isCut = false
    },
  }
}
