import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { OperationalError } from '../src/lifecycle.ts'
import { whyPortTaken } from '../src/port-taken.ts'
import { listen } from '../src/sockets.ts'
import { recordingLog, stopAfterTest } from './support.ts'

const HOST = '127.0.0.1'

const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ family }) => family === 'IPv6'))

/** What a program is told that wants to listen there. */
async function said(port: number, host = HOST): Promise<string> {
  const { signal: stop } = stopAfterTest()
  const listening = listen({ peer: 'slave', host, port, stop, log: recordingLog().log }, async () => {})
  const error = await listening.then(
    () => 'It listens',
    (error) => error,
  )
  if (typeof error === 'string') return error
  expect(error).toBeInstanceOf(OperationalError)
  return error.message
}

// Elsewhere than on Linux, the system does not tell what uses a port.
describe.runIf(process.platform === 'linux')('a port that is taken', () => {
  test.each([
    [HOST, HOST, 'there'],
    ['0.0.0.0', HOST, 'on all addresses'],
    ['127.0.0.2', '0.0.0.0', 'on 127.0.0.2'],
    ...(hasIPv6
      ? [
          ['::1', '::1', 'there'],
          ['::', HOST, 'on all addresses'],
          ['::1', '::', 'on ::1'],
        ]
      : []),
  ] as [string, string, string][])('by who listens on %s, on %s: listens %s', async (where, host, said_) => {
    const port = portOf(await listening(where))
    expect(await said(port, host)).toBe(
      `Port ${port} is taken on ${host}: another program listens ${said_}, perhaps this one in another terminal. Stop it, or choose another port.`,
    )
  })

  test('by who listens on another address of this machine is free on this one', async () => {
    expect(await said(portOf(await listening('127.0.0.2')))).toBe('It listens')
  })

  test('by a connection that a program has, and then by what the system keeps of it', async () => {
    const other = portOf(await listening(HOST))
    const socket = await connected(other)
    const port = socket.localPort ?? 0
    await listening('127.0.0.2', port) // which has nothing to do with it
    expect(await said(port)).toBe(
      `Port ${port} is taken on ${HOST}: nobody listens there, but a program has a connection from it to ${HOST}:${other}. Stop that program, or choose another port.`,
    )
    socket.end().resume()
    await once(socket, 'close')
    expect(await said(port)).toBe(
      `Port ${port} is taken on ${HOST}: nobody listens there any more, but the system keeps connections that a program has left behind: 1. It forgets them in a minute or two. Wait so long, or choose another port.`,
    )
  })

  test('by a program that ends, as the Python original does: first it listens, then its connections linger', async ({
    skip,
  }) => {
    const program = `
import socket
server = socket.socket()
server.bind(("${HOST}", 0))
server.listen(5)
print(server.getsockname()[1], flush=True)
clients = [server.accept()[0] for _ in range(3)]
print("accepted", flush=True)
input()`
    const python = spawn('python3', ['-c', program])
    onTestFinished(() => void python.kill('SIGKILL'))
    const started = await Promise.race([
      once(python.stdout, 'data'),
      once(python, 'error').then(() => undefined),
    ])
    if (started === undefined) return skip('python3 is not installed')
    const port = Number(String(started[0]))
    const accepted = once(python.stdout, 'data')
    // They do not end their side, as slaves that only send do not for a while.
    for (let peers = 0; peers < 3; peers += 1) await connected(port, { allowHalfOpen: true })
    await accepted
    expect(await said(port)).toMatch(/: another program listens there, perhaps this one/)
    python.stdin.end('\n')
    await once(python, 'close')
    expect(await said(port)).toBe(
      `Port ${port} is taken on ${HOST}: nobody listens there any more, but the system keeps connections that a program has left behind: 3. It forgets them in a minute or two. Wait so long, or choose another port.`,
    )
  })

  test('by a program that has bound it, and does not listen', async ({ skip }) => {
    const program = `
import socket
holder = socket.socket()
holder.bind(("${HOST}", 0))
print(holder.getsockname()[1], flush=True)
input()`
    const python = spawn('python3', ['-c', program])
    onTestFinished(() => void python.kill('SIGKILL'))
    const started = await Promise.race([
      once(python.stdout, 'data'),
      once(python, 'error').then(() => undefined),
    ])
    if (started === undefined) return skip('python3 is not installed')
    const port = Number(String(started[0]))
    expect(await said(port)).toBe(
      `Port ${port} is taken on ${HOST}: nobody listens there, but a program holds it. Stop that program, or choose another port.`,
    )
  })
})

test('where the system does not tell, who listens is found by connecting', async () => {
  const server = await listening(HOST)
  const port = portOf(server)
  const why = () => whyPortTaken(HOST, port, '/no/such/folder')
  expect(await why()).toMatch(/^another program listens there, perhaps this one in another terminal\./)
  server.close()
  expect(await why()).toMatch(
    /^nobody listens there, but a program holds it, or the system keeps connections/,
  )
})

test('a port that its program has left, all connections closed by this end, is free at once', async () => {
  const server = await listening(HOST)
  const port = portOf(server)
  server.on('connection', (socket) => socket.end())
  const peer = await connected(port)
  await once(peer.resume(), 'close')
  server.close()
  await vi.waitFor(() => expect(server.listening).toBe(false))
  expect(await said(port)).toBe('It listens')
})

async function listening(host: string, port = 0): Promise<Server> {
  const server = createServer().listen(port, host)
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return server
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

async function connected(port: number, options: { allowHalfOpen?: boolean } = {}): Promise<Socket> {
  const socket = connect({ host: HOST, port, ...options })
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return socket
}
