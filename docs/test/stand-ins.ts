/**
 * What the core and the chapters rely on in Node, a behaviour each, with what it gives. The same file runs in Node and,
 * as a program of a cluster, in the page: there the stand-ins of `docs/live/node` have to give the same.
 */
import { Buffer, isAscii, isUtf8 } from 'node:buffer'
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { addAbortListener, EventEmitter, once } from 'node:events'
import * as fs from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, isIP, type Server, type Socket } from 'node:net'
import { devNull, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual, parseArgs, promisify } from 'node:util'

/** A behaviour, and what it gives as plain data. */
export interface Behaviour {
  name: string
  run: () => unknown
  gives: unknown
}

export const behaviours: Behaviour[] = []

function behaviour(name: string, run: () => unknown, gives: unknown): void {
  behaviours.push({ name, run, gives })
}

const codeOf = (error: unknown) => (error as { code?: string }).code

function thrownBy(run: () => unknown): string | undefined {
  try {
    run()
    return 'nothing'
  } catch (error) {
    return codeOf(error)
  }
}

/** A server, and a connection to it, from both ends. */
async function pair(options: { allowHalfOpen?: boolean } = {}) {
  const server = createServer(options)
  server.listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const taken = once(server, 'connection')
  const near = connect({ host: '127.0.0.1', port: portOf(server), ...options })
  await once(near, 'connect')
  const [far] = (await taken) as [Socket]
  const end = () => {
    for (const socket of [near, far]) socket.on('error', () => {}).destroy()
    server.close()
  }
  return { server, near, far, end }
}

const portOf = (server: Server) => (server.address() as AddressInfo).port

/** What a behaviour with a pair gives; the pair is gone afterwards. */
async function withPair<Value>(
  run: (ends: Awaited<ReturnType<typeof pair>>) => Promise<Value>,
  options: { allowHalfOpen?: boolean } = {},
): Promise<Value> {
  const ends = await pair(options)
  try {
    return await run(ends)
  } finally {
    ends.end()
  }
}

/** Waits until it is closed, whether by an error or not. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.on('close', () => resolve()))
}

async function textOf(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (chunk) => (text += chunk))
  await once(socket, 'end')
  return text
}

behaviour(
  'bytes arrive in the order in which they were written',
  () =>
    withPair(async ({ near, far }) => {
      for (let number = 0; number < 100; number += 1) near.write(`${number},`)
      near.end()
      return textOf(far)
    }),
  `${Array.from({ length: 100 }, (_, number) => number).join(',')},`,
)

behaviour(
  'what arrives is a Buffer',
  () =>
    withPair(async ({ near, far }) => {
      near.write('é')
      const [chunk] = await once(far, 'data')
      return [Buffer.isBuffer(chunk), chunk.toString()]
    }),
  [true, 'é'],
)

behaviour(
  'a socket counts what it has read and written',
  () =>
    withPair(async ({ near, far }) => {
      near.write('12345')
      await once(far, 'data')
      return [near.bytesWritten, far.bytesRead]
    }),
  [5, 5],
)

behaviour(
  'each end knows both addresses',
  () =>
    withPair(async ({ server, near, far }) => [
      near.remoteAddress,
      near.remotePort === portOf(server),
      far.remoteAddress,
      far.remotePort === near.localPort,
    ]),
  ['127.0.0.1', true, '127.0.0.1', true],
)

behaviour(
  'corked pieces arrive as one',
  () =>
    withPair(async ({ near, far }) => {
      near.cork()
      for (const piece of ['a', 'b', 'c']) near.write(piece)
      near.uncork()
      const [chunk] = await once(far, 'data')
      return String(chunk)
    }),
  'abc',
)

behaviour(
  'an end is answered with an end',
  () =>
    withPair(async ({ near, far }) => {
      far.resume()
      near.end('bye')
      await Promise.all([once(near.resume(), 'close'), once(far, 'close')])
      return [near.destroyed, far.destroyed, far.readableEnded]
    }),
  [true, true, true],
)

behaviour(
  'a socket that may be half open goes on writing after the other end',
  () =>
    withPair(
      async ({ near, far }) => {
        near.end('question')
        const question = await textOf(far)
        far.end(`${question}, answered`)
        return textOf(near)
      },
      { allowHalfOpen: true },
    ),
  'question, answered',
)

behaviour(
  'a destroyed socket ends the other',
  () =>
    withPair(async ({ near, far }) => {
      near.destroy()
      await once(far.resume(), 'end')
      return far.readableEnded
    }),
  true,
)

behaviour(
  'a reset is told as ECONNRESET',
  () =>
    withPair(async ({ near, far }) => {
      near.resetAndDestroy()
      const [error] = await once(far, 'error').catch((error) => [error])
      return codeOf(error)
    }),
  'ECONNRESET',
)

behaviour(
  'a socket that was reset is closed',
  () =>
    withPair(async ({ near, far }) => {
      far.on('error', () => {})
      near.resetAndDestroy()
      await closed(far)
      return [far.destroyed, far.writable, far.readable]
    }),
  [true, false, false],
)

behaviour(
  'who closes with something unread resets',
  () =>
    withPair(async ({ near, far }) => {
      far.pause()
      const errors: unknown[] = []
      near.on('error', (error) => errors.push(codeOf(error)))
      // More than is taken from the system in advance.
      near.write(Buffer.alloc(1024 * 1024))
      await once(far, 'readable')
      far.destroy()
      await closed(near)
      return errors.every((code) => code === 'ECONNRESET' || code === 'EPIPE') && errors.length
    }),
  1,
)

behaviour(
  'a write after the end is an error',
  () =>
    withPair(async ({ near }) => {
      near.end()
      const failed = once(near, 'error').catch((error) => [error])
      near.write('late')
      return codeOf((await failed)[0])
    }),
  'ERR_STREAM_WRITE_AFTER_END',
)

behaviour(
  'a reader that does not read stops the writer, and sets it going again',
  () =>
    withPair(async ({ near, far }) => {
      const piece = Buffer.alloc(64 * 1024)
      let written = 0
      far.pause()
      // Fills what both systems keep.
      const fill = async () => {
        for (let more = true; more; ) {
          more = near.write(piece)
          written += piece.length
          if (!more) more = await Promise.race([once(near, 'drain').then(() => true), sleep(300, false)])
        }
      }
      await fill()
      const stopped = near.writableLength > 0
      const drained = once(near, 'drain')
      let read = 0
      far.on('data', (chunk) => (read += chunk.length)).resume()
      await drained
      near.end()
      await once(far, 'end')
      return [stopped, read === written]
    }),
  [true, true],
)

behaviour(
  'a megabyte comes whole',
  () =>
    withPair(async ({ near, far }) => {
      const sent = randomBytes(1024 * 1024)
      near.end(sent)
      const chunks: Buffer[] = []
      for await (const chunk of far) chunks.push(chunk)
      return Buffer.concat(chunks).equals(sent)
    }),
  true,
)

behaviour(
  'no chunk is larger than 64 KiB',
  () =>
    withPair(async ({ near, far }) => {
      near.end(Buffer.alloc(300 * 1024))
      let largest = 0
      for await (const chunk of far) largest = Math.max(largest, chunk.length)
      return largest <= 64 * 1024
    }),
  true,
)

behaviour('nobody listens: ECONNREFUSED', async () => {
  const server = createServer().listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const port = portOf(server)
  server.close()
  await once(server, 'close')
  const [error] = await once(connect({ host: '127.0.0.1', port }), 'connect').catch((error) => [error])
  return [error.code, error.syscall, error.message === `connect ECONNREFUSED 127.0.0.1:${port}`]
}, ['ECONNREFUSED', 'connect', true])

behaviour(
  'a port that is taken: EADDRINUSE',
  () =>
    withPair(async ({ server }) => {
      const other = createServer().listen({ host: '127.0.0.1', port: portOf(server) })
      const [error] = await once(other, 'listening').catch((error) => [error])
      return [error.code, error.syscall, error.address, error.port === portOf(server)]
    }),
  ['EADDRINUSE', 'listen', '127.0.0.1', true],
)

behaviour(
  'an address of no machine here: EADDRNOTAVAIL',
  async () => {
    const server = createServer().listen({ host: '192.0.2.1', port: 0 })
    const [error] = await once(server, 'listening').catch((error) => [error])
    return error.code
  },
  'EADDRNOTAVAIL',
)

behaviour(
  'a connection lives on when its server is closed',
  () =>
    withPair(async ({ server, near, far }) => {
      server.close()
      near.end('still here')
      return textOf(far)
    }),
  'still here',
)

behaviour(
  'a server has closed when its last connection has',
  () =>
    withPair(async ({ server, near, far }) => {
      let isClosed = false
      server.on('close', () => (isClosed = true)).close()
      await sleep(20)
      const before = isClosed
      near.destroy()
      far.resume()
      await once(server, 'close')
      return [before, far.destroyed]
    }),
  [false, true],
)

behaviour('a socket that is closed while it connects does not connect', async () => {
  const server = createServer().listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const socket = connect({ host: '127.0.0.1', port: portOf(server) })
  const events: string[] = []
  socket.on('connect', () => events.push('connect')).on('close', () => events.push('close'))
  socket.destroy()
  await once(socket, 'close')
  await sleep(30)
  server.close()
  return events
}, ['close'])

behaviour(
  'what is written before the connection is there is sent then',
  async () => {
    const server = createServer((socket) => socket.pipe(socket)).listen({ host: '127.0.0.1', port: 0 })
    await once(server, 'listening')
    const socket = connect({ host: '127.0.0.1', port: portOf(server) })
    socket.end('early')
    const text = await textOf(socket)
    server.close()
    return text
  },
  'early',
)

behaviour(
  'a quiet socket says so, and stays open',
  () =>
    withPair(async ({ near }) => {
      near.setTimeout(20)
      await once(near, 'timeout')
      return near.destroyed
    }),
  false,
)

behaviour(
  'addresses',
  () => ['127.0.0.1', '::1', '1.2.3', '256.1.1.1', 'pi.local', 'fe80::1%eth0', '01.2.3.4'].map(isIP),
  [4, 6, 0, 0, 0, 6, 0],
)

// Timers.

behaviour('timers run in the order in which they are due, and then of their starts', async () => {
  const order: number[] = []
  const done = [30, 10, 20, 10].map((ms, index) => sleep(ms).then(() => order.push(index)))
  await Promise.all(done)
  return order
}, [1, 3, 2, 0])

behaviour('a promise is kept between two timers of the same moment', async () => {
  const order: string[] = []
  setTimeout(() => {
    order.push('first')
    void Promise.resolve().then(() => order.push('promise'))
  }, 5)
  setTimeout(() => order.push('second'), 5)
  await sleep(20)
  return order
}, ['first', 'promise', 'second'])

behaviour(
  'a cleared timer does not run',
  async () => {
    let runs = 0
    clearTimeout(setTimeout(() => (runs += 1), 5))
    clearInterval(setInterval(() => (runs += 1), 5))
    clearImmediate(setImmediate(() => (runs += 1)))
    await sleep(20)
    return runs
  },
  0,
)

behaviour(
  'an interval ends when it clears itself',
  async () => {
    let runs = 0
    const timer = setInterval(() => {
      runs += 1
      if (runs === 3) clearInterval(timer)
    }, 2)
    await sleep(40)
    return runs
  },
  3,
)

behaviour("a timer can be refreshed, unref'd and ref'd", async () => {
  let runs = 0
  const timer = setTimeout(() => (runs += 1), 10)
  const refs = [timer.hasRef(), timer.unref().hasRef(), timer.ref().hasRef()]
  await once(timerEnds(12), 'done')
  timer.refresh()
  await sleep(30)
  return [refs, runs]
}, [[true, false, true], 2])

function timerEnds(ms: number): EventEmitter {
  const emitter = new EventEmitter()
  setTimeout(() => emitter.emit('done'), ms)
  return emitter
}

behaviour('a wait is given up on its signal', async () => {
  const controller = new AbortController()
  const wait = sleep(10_000, undefined, { signal: controller.signal }).catch((error) => [
    error.name,
    error.code,
  ])
  controller.abort()
  return wait
}, ['AbortError', 'ABORT_ERR'])

behaviour(
  'a wait with a signal that has been given does not begin',
  () => sleep(10_000, undefined, { signal: AbortSignal.abort() }).catch((error) => error.name),
  'AbortError',
)

behaviour('a wait gives its value', () => sleep(1, 'value'), 'value')

behaviour('the next turn comes before a timer', async () => {
  const order: string[] = []
  await Promise.all([sleep(20).then(() => order.push('timer')), nextTurn().then(() => order.push('turn'))])
  return order
}, ['turn', 'timer'])

// Events.

behaviour(
  'once rejects with the error that comes instead',
  async () => {
    const emitter = new EventEmitter()
    const waits = once(emitter, 'never').catch((error) => error.message)
    emitter.emit('error', new Error('instead'))
    return waits
  },
  'instead',
)

behaviour('once is given up on its signal, and leaves no listener', async () => {
  const emitter = new EventEmitter()
  const controller = new AbortController()
  const waits = once(emitter, 'never', { signal: controller.signal }).catch((error) => error.name)
  controller.abort()
  return [await waits, emitter.listenerCount('never'), emitter.listenerCount('error')]
}, ['AbortError', 0, 0])

behaviour(
  'who listens to a signal that has been given is told all the same',
  async () => {
    let told = false
    addAbortListener(AbortSignal.abort(), () => (told = true))
    await nextTurn()
    return told
  },
  true,
)

behaviour(
  'a listener of a signal can be taken away',
  () => {
    const controller = new AbortController()
    let told = false
    addAbortListener(controller.signal, () => (told = true))[Symbol.dispose]()
    controller.abort()
    return told
  },
  false,
)

// Files.

const folder = () => fs.mkdtempSync(join(tmpdir(), 'stand-ins-'))

behaviour('a file that is not there: ENOENT', () => {
  const path = join(folder(), 'none')
  const errors = [
    () => fs.openSync(path, 'r'),
    () => fs.statSync(path),
    () => fs.readFileSync(path),
    () => fs.readdirSync(path),
    () => fs.renameSync(path, `${path}2`),
    () => fs.rmSync(path),
    () => fs.realpathSync(path),
  ]
  return [
    errors.map(thrownBy),
    fs.existsSync(path),
    fs.statSync(path, { throwIfNoEntry: false }) === undefined,
  ]
}, [Array(7).fill('ENOENT'), false, true])

behaviour(
  'what is appended comes after what is there, from wherever',
  () => {
    const path = join(folder(), 'log')
    const { O_WRONLY, O_APPEND, O_CREAT } = fs.constants
    const [a, b] = [fs.openSync(path, O_WRONLY | O_APPEND | O_CREAT), fs.openSync(path, 'a')]
    fs.writeSync(a, 'one\n')
    fs.writeSync(b, 'two\n')
    fs.writeSync(a, Buffer.from('xthree\n'), 1)
    fs.closeSync(a)
    fs.closeSync(b)
    return fs.readFileSync(path, 'utf8')
  },
  'one\ntwo\nthree\n',
)

behaviour('a renamed file keeps its number, and what is open', () => {
  const path = join(folder(), 'log')
  const fd = fs.openSync(path, 'a')
  fs.writeSync(fd, 'before ')
  const { ino } = fs.fstatSync(fd)
  fs.renameSync(path, `${path}.1`)
  fs.writeSync(fd, 'after')
  fs.closeSync(fd)
  return [fs.statSync(`${path}.1`).ino === ino, fs.existsSync(path), fs.readFileSync(`${path}.1`, 'utf8')]
}, [true, false, 'before after'])

behaviour('a removed file has no name any more, and can be written', () => {
  const path = join(folder(), 'log')
  const fd = fs.openSync(path, 'a')
  fs.rmSync(path)
  fs.writeSync(fd, 'lost')
  const { nlink, size } = fs.fstatSync(fd)
  fs.closeSync(fd)
  return [nlink, size]
}, [0, 4])

behaviour(
  'a file is made once where it has to be new',
  () => {
    const path = join(folder(), 'claimed')
    fs.closeSync(fs.openSync(path, 'wx'))
    return thrownBy(() => fs.openSync(path, 'wx'))
  },
  'EEXIST',
)

behaviour('a file is read piece by piece', () => {
  const path = join(folder(), 'text')
  fs.writeFileSync(path, 'abcdef')
  const fd = fs.openSync(path, 'r')
  const piece = Buffer.alloc(4)
  const pieces = [fs.readSync(fd, piece), String(piece), fs.readSync(fd, piece), fs.readSync(fd, piece)]
  fs.closeSync(fd)
  return pieces
}, [4, 'abcd', 2, 0])

behaviour('folders are made, with those above them, and listed', () => {
  const top = folder()
  fs.mkdirSync(join(top, 'a/b'), { recursive: true })
  fs.mkdirSync(join(top, 'a/b'), { recursive: true })
  fs.writeFileSync(join(top, 'a/file'), '')
  return [
    fs.readdirSync(join(top, 'a')).sort(),
    fs.statSync(join(top, 'a')).isDirectory(),
    thrownBy(() => fs.mkdirSync(join(top, 'a'))),
  ]
}, [['b', 'file'], true, 'EEXIST'])

behaviour('a folder is no file', () => {
  const top = folder()
  return [() => fs.readFileSync(top), () => fs.openSync(top, 'a')].map(thrownBy)
}, ['EISDIR', 'EISDIR'])

behaviour(
  'a descriptor that is closed cannot be written',
  () => {
    const fd = fs.openSync(devNull, 'w')
    fs.closeSync(fd)
    return thrownBy(() => fs.writeSync(fd, 'x'))
  },
  'EBADF',
)

behaviour(
  "the reason in an error's message comes before the call",
  () => {
    try {
      return fs.openSync('/none/of/it', 'r')
    } catch (error) {
      return (error as Error).message
    }
  },
  "ENOENT: no such file or directory, open '/none/of/it'",
)

behaviour('the null device takes all and gives nothing', () => {
  const fd = fs.openSync(devNull, 'r+')
  const taken = fs.writeSync(fd, 'gone')
  fs.closeSync(fd)
  return [taken, fs.readFileSync(devNull, 'utf8'), fs.statSync(devNull).isFile()]
}, [4, '', false])

behaviour('files can be waited for', async () => {
  const path = join(folder(), 'text')
  await writeFile(path, 'later')
  return [await readFile(path, 'utf8'), await readFile(`${path}2`).catch(codeOf)]
}, ['later', 'ENOENT'])

// The rest.

behaviour('options that a program was started with', () => {
  const options = { config: { type: 'string' as const } }
  return [
    parseArgs({ args: ['--config', 'a'], options }).values.config,
    parseArgs({ args: ['--config=b'], options }).values.config,
    thrownBy(() => parseArgs({ args: ['--other'], options })),
    thrownBy(() => parseArgs({ args: ['word'], options })),
    thrownBy(() => parseArgs({ args: ['--config'], options })),
  ]
}, [
  'a',
  'b',
  'ERR_PARSE_ARGS_UNKNOWN_OPTION',
  'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL',
  'ERR_PARSE_ARGS_INVALID_OPTION_VALUE',
])

behaviour('random numbers stay within their limits', () => {
  const numbers = Array.from({ length: 500 }, () => randomInt(1, 4))
  return [[...new Set(numbers)].sort(), randomBytes(8).length, randomUUID().length]
}, [[1, 2, 3], 8, 36])

behaviour(
  'bytes that are text, and such that are not',
  () => [
    isUtf8(Buffer.from('é')),
    isUtf8(Buffer.from([0xff])),
    isAscii(Buffer.from('e')),
    isAscii(Buffer.from('é')),
  ],
  [true, false, true, false],
)

behaviour(
  'values that are alike',
  () => [
    isDeepStrictEqual({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }),
    isDeepStrictEqual({ a: 1 }, { a: '1' }),
    isDeepStrictEqual([1], [1, 2]),
  ],
  [true, false, false],
)

behaviour(
  'a callback becomes a promise',
  () =>
    promisify((value: number, tell: (error: Error | null, twice: number) => void) => tell(null, 2 * value))(
      21,
    ),
  42,
)

behaviour('what is put off to the end of a turn comes before its timers', async () => {
  const order: string[] = []
  setImmediate(() => order.push('immediate'))
  process.nextTick(() => order.push('tick'))
  order.push('now')
  await nextTurn()
  await nextTurn()
  return order
}, ['now', 'tick', 'immediate'])
