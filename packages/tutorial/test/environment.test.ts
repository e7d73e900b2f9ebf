import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { execa } from 'execa'
import { expect, onTestFinished, test, vi } from 'vitest'
import { freePort, programEnvironment } from '../src/run/environment.ts'

/** Listens in each of the ways that Node knows, connects in each, and says where that was. */
const PROGRAM = `
  import { once } from 'node:events'
  import { createServer } from 'node:http'
  import net from 'node:net'
  for (const args of [[7000], [7000, '127.0.0.1'], [{ port: 7000, host: '127.0.0.1' }]]) {
    const server = createServer((_, response) => response.end('hello')).listen(...args)
    await once(server, 'listening')
    const there = server.address().port
    const sockets = [
      net.connect(7000, '127.0.0.1'),
      net.connect({ port: 7000, host: '127.0.0.1' }),
      new net.Socket().connect(7000, '127.0.0.1'),
      new net.Socket().connect({ port: 7000, host: '127.0.0.1' }),
    ]
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    const said = await (await fetch('http://127.0.0.1:7000/', { headers: { connection: 'close' } })).text()
    console.log(there, said)
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  }
`

test('a program on a port of its own listens and connects elsewhere, in whatever way it says so', async () => {
  const port = await freePort()
  const { stdout } = await execa(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
    env: programEnvironment({ ports: new Map([[7000, port]]) }),
    extendEnv: false,
  })
  expect(stdout.split('\n')).toEqual([`${port} hello`, `${port} hello`, `${port} hello`])
})

test('no two processes choose from the same ports, also if their numbers would have them do so', async () => {
  const asks = `
    const { freePort } = await import('${new URL('../src/run/environment.ts', import.meta.url)}')
    Object.defineProperty(process, 'pid', { value: 4242 })
    console.log(await freePort())
    process.stdin.resume()`
  const ports = [1, 2, 3].map(async () => {
    const args = ['--import', 'tsx', '--input-type=module', '--eval', asks]
    const one = spawn(process.execPath, args, {
      cwd: import.meta.dirname,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    onTestFinished(() => void one.kill('SIGKILL'))
    const [line] = await once(createInterface({ input: one.stdout }), 'line')
    return Number(line)
  })
  const ranges = (await Promise.all(ports)).map((port) => Math.floor(port / 200))
  expect(new Set(ranges).size, ranges.join(', ')).toBe(3)
})

test('how the tests themselves are run is nothing that a program sees', () => {
  const own = ['TEST_RETRY', 'TEST_REPORT', 'TEST_CPU', 'CHAPTER_UNDER_TEST', 'VITEST_POOL_ID']
  for (const name of own) vi.stubEnv(name, '1')
  vi.stubEnv('TEST_BENCH', '1') // a reader's own
  const seen = programEnvironment({})
  vi.unstubAllEnvs()
  expect(Object.keys(seen).filter((name) => own.includes(name))).toEqual([])
  expect(seen).toHaveProperty('TEST_BENCH')
})
