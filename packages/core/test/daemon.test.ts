import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, connect as openSocket, type Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { askForReload, askHealth, credentialFile, inheritedSocket, tellHealth } from '../src/daemon.ts'
import { Dialogue } from '../src/dialogue.ts'
import { send } from '../src/messages.ts'
import { ConnectingNode, ListeningNode } from '../src/node.ts'
import { type Connection, connect, listen } from '../src/sockets.ts'
import { BUILT_FIXTURES } from './built-fixtures.ts'
import { jsonLines, type Program, portOf, recordingLog, start, stopAfterTest, tempFolder } from './support.ts'

const PATIENCE = { timeout: 30_000, interval: 10 }

/** A server's socket, which a program can be handed over. */
async function openPort(): Promise<{ server: Server; port: number; descriptor: number }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle
  return { server, port: (server.address() as { port: number }).port, descriptor: fd }
}

interface Daemon {
  program: Program
  folder: string
  port: number
  /** What it has logged. */
  lines: () => unknown[]
  says: (text: string, times?: number) => Promise<void>
  configure: (config: object) => void
}

async function aDaemon({
  args = [],
  socket,
}: {
  args?: string[]
  socket?: { descriptor: number; said: string }
} = {}) {
  const folder = tempFolder()
  // The port is one that the system picks, unless it is handed over.
  const configure = (config: object) =>
    writeFileSync(
      join(folder, 'config.json'),
      JSON.stringify({
        port: socket?.said.includes('$$ LISTEN_FDS=1 LISTEN_FDNAMES=nodes') ? 1 : 0,
        ...config,
      }),
    )
  configure({ factor: 2 })
  const program = start('daemon.ts', [folder, ...args], socket ? { socket } : {})
  return await ready({ program, folder, configure })
}

async function ready({ program, folder, configure }: Pick<Daemon, 'program' | 'folder' | 'configure'>) {
  const lines = () => {
    try {
      return jsonLines(join(folder, 'program.log')).map(({ msg }) => msg)
    } catch {
      return []
    }
  }
  const says = (text: string, times = 1) =>
    vi.waitFor(
      () => expect(lines().filter((line) => String(line).startsWith(text))).toHaveLength(times),
      PATIENCE,
    )
  await says('Listening on')
  const [, port] = /Listening on \S+:(\d+)/.exec(lines().join('\n')) ?? []
  return { program, folder, port: Number(port), lines, says, configure }
}

/** Talks to a daemon. */
async function aPeer(port: number) {
  const { signal: stop } = stopAfterTest()
  const connection = await connect({ peer: 'daemon', host: '127.0.0.1', port, stop })
  const dialogue = new Dialogue(connection, { unknown: () => {} })
  dialogue.ended.catch(() => {}) // a test looks at it
  const times = (about: unknown, question = 'times') => dialogue.ask(question, { answer: 'product', about })
  return { connection, dialogue, times }
}

/** Sends messages as fast as they are taken, until there is no connection. Resolves with how many it was. */
async function talk(connection: Connection, dialogue: Dialogue): Promise<number> {
  let sent = 0
  let isOver = false
  dialogue.ended.then(() => (isOver = true))
  while (!isOver) {
    await send(connection, 'message', sent)
    sent += 1
    if (sent % 50 === 0) await sleep(1)
  }
  return sent
}

describe.skipIf(process.platform === 'win32')('SIGHUP', () => {
  test('lets a good configuration hold, and a wrong one not, and no connection and no message is lost', async () => {
    const daemon = await aDaemon()
    const { connection, dialogue, times } = await aPeer(daemon.port)
    const talked = talk(connection, dialogue)
    expect(await times(21)).toBe(42)

    daemon.configure({ factor: 3 })
    daemon.program.child.kill('SIGHUP')
    await daemon.says('Reloaded. Changed: factor')
    expect(await times(21)).toBe(63)

    daemon.configure({ factor: 'x' })
    daemon.program.child.kill('SIGHUP')
    await daemon.says('Not reloaded. What held before still holds')
    expect(daemon.lines()).toEqual(expect.arrayContaining(['factor: not a number', 'and a second problem']))
    expect(await times(21)).toBe(63)

    daemon.configure({ factor: 4, port: 1, most_peers: 9 })
    daemon.program.child.kill('SIGHUP')
    await daemon.says(
      'Of what has changed, port, most_peers can only hold from a start on: restart this program.',
    )
    expect(await times(21)).toBe(63)

    daemon.configure({ factor: 'mistake' })
    daemon.program.child.kill('SIGHUP')
    await daemon.says('A mistake in the program: TypeError: a mistake')
    expect(await times(21)).toBe(63)

    daemon.configure({ factor: 3 })
    daemon.program.child.kill('SIGHUP')
    await daemon.says('Reloaded. Nothing has changed')

    daemon.program.child.kill('SIGTERM')
    expect(await daemon.program.ended).toBe(0)
    expect(daemon.lines()).toContain(`Taken: ${await talked}`)
  })

  test('while one is at work, is one more afterwards, however often it comes', async () => {
    const daemon = await aDaemon()
    daemon.configure({ factor: 3, slow: true })
    daemon.program.child.kill('SIGHUP')
    await daemon.says('Reading')
    for (let count = 0; count < 3; count += 1) {
      daemon.program.child.kill('SIGHUP')
      await sleep(1)
    }
    await daemon.says('Reloaded. Nothing has changed')
    await sleep(150) // longer than a reload takes
    expect(daemon.lines().filter((line) => line === 'Reading')).toHaveLength(2)
  })

  test('of a terminal that was closed still stops the program', async () => {
    const folder = tempFolder()
    writeFileSync(join(folder, 'config.json'), '{"factor":2,"port":0}')
    const script = join(import.meta.dirname, 'fixtures/terminal.py')
    const words = [script, process.execPath, join(BUILT_FIXTURES, 'daemon.js'), folder]
    const terminal = spawn('python3', words, { stdio: ['pipe', 'ignore', 'inherit'] })
    onTestFinished(() => void terminal.kill('SIGKILL'))
    const { lines } = await ready({ program: {} as Program, folder, configure: () => {} })
    terminal.stdin.end()
    expect(await once(terminal, 'close')).toEqual([0, null])
    expect(lines().at(-1)).toBe('Stopped')
    expect(lines().join('\n')).not.toMatch(/eloaded/)
  })

  test('can be waited for, and fails for who waits when the configuration is refused', async () => {
    const daemon = await aDaemon()
    const { folder } = daemon
    daemon.configure({ factor: 3 })
    await askForReload('program', { folder })
    expect((await askHealth('program', { folder })).health.status).toBe('The factor is 3')
    daemon.configure({ factor: 'x' })
    await expect(askForReload('program', { folder })).rejects.toThrow(
      'factor: not a number\nand a second problem',
    )
    expect((await askHealth('program', { folder })).health).toMatchObject({
      status: 'The factor is 3',
      reloads: { count: 2, problems: ['factor: not a number', 'and a second problem'] },
    })
    daemon.program.child.kill('SIGKILL')
    await daemon.program.ended
    await expect(askForReload('program', { folder })).rejects.toThrow(
      'program cannot be asked to reload. It does not run',
    )
  })
})

describe('a stop', () => {
  test('waits for what is in work, whose answers are sent, and takes all that was said', async () => {
    const daemon = await aDaemon()
    const { connection, dialogue, times } = await aPeer(daemon.port)
    const other = await aPeer(daemon.port)
    const late = times(500, 'late')
    await send(other.connection, 'slow', 300)
    await daemon.says('At work', 2)
    const talked = talk(connection, dialogue)
    daemon.program.child.kill('SIGTERM')
    await daemon.says('Asked to stop')
    await vi.waitFor(async () => {
      const late = connect({ ...refused, port: daemon.port })
      late.then((connection) => connection.close()).catch(() => {})
      await expect(late).rejects.toThrow(/^Nobody listens on/)
    }, PATIENCE)
    expect(await late).toBeTypeOf('number')
    // The other ends of both connections were told well.
    expect(await dialogue.ended).toBe(await other.dialogue.ended)
    expect(await daemon.program.ended).toBe(0)
    expect(daemon.lines()).toContain(`Taken: ${(await talked) + 1}`)
    expect(daemon.lines().at(-1)).toBe('Stopped')
  })

  test('does not wait for a peer that never closes its end', async () => {
    const daemon = await aDaemon({ args: ['3600000'] })
    const frozen = openSocket({ port: daemon.port, host: '127.0.0.1', allowHalfOpen: true })
    frozen.on('error', () => {})
    await once(frozen, 'connect')
    const { times } = await aPeer(daemon.port)
    await times(1) // so the one before is served, too
    daemon.program.child.kill('SIGTERM')
    expect(await daemon.program.ended).toBe(0)
    expect(daemon.lines().join('\n')).not.toContain('cut off')
  })

  test('does not wait for what comes to no end', async () => {
    const daemon = await aDaemon({ args: ['500'] })
    const { connection, times } = await aPeer(daemon.port)
    await send(connection, 'message', 1)
    times(3_600_000, 'late').catch(() => {})
    await daemon.says('At work')
    daemon.program.child.kill('SIGTERM')
    await daemon.says('Not all of it was finished within 0.5 s: the rest is cut off')
    expect(await daemon.program.ended).toBe(0)
  })

  test('for a second time, some time later, waits no more', async () => {
    const daemon = await aDaemon({ args: ['3600000'] })
    const { times } = await aPeer(daemon.port)
    times(3_600_000, 'late').catch(() => {})
    await daemon.says('At work')
    daemon.program.child.kill('SIGINT')
    daemon.program.child.kill('SIGTERM') // as a shell and pnpm may both pass it on
    await daemon.says('Asked to stop')
    await sleep(700)
    expect(daemon.program.child.exitCode).toBe(null)
    daemon.program.child.kill('SIGTERM')
    expect(await daemon.program.ended).toBe(0)
    expect(daemon.lines().at(-1)).toBe('Stopped')
  })

  test('of a node that connects lets its turn end, ends a pause, and tells no loss', async () => {
    class Worker extends ConnectingNode {
      turns = 0
      override async greet() {}
      override async performAction() {
        await this.send('begin', this.turns)
        await sleep(200)
        await this.send('end', this.turns)
        this.turns += 1
        await this.pause(3_600_000)
      }
    }
    const stopping = stopAfterTest()
    const { log } = recordingLog()
    const received: string[] = []
    const listener = await listen(
      { peer: 'worker', host: '127.0.0.1', port: 0, stop: stopping.signal, log },
      async (worker) => {
        const handlers = {
          begin: () => void received.push('begin'),
          end: () => void received.push('end'),
        }
        const answers = { late: () => undefined }
        const dialogue = new Dialogue(worker, { handlers, answers, unknown: () => {} })
        await dialogue.ended
        received.push('goodbye')
      },
    )
    const own = recordingLog()
    const port = portOf(listener)
    const worker = new Worker({ peer: 'host', host: '127.0.0.1', port, stop: stopping.signal, log: own.log })
    const ended = worker.run()
    await vi.waitFor(() => expect(received).toEqual(['begin']), PATIENCE)
    await worker.drain()
    await vi.waitFor(() => expect(received).toEqual(['begin', 'end', 'goodbye']), PATIENCE)
    stopping.abort()
    await ended
    expect(own.records.filter(({ level }) => level === 'warn')).toEqual([])
  })
})

describe('a node that listens, when it drains', () => {
  test('says goodbye to none before all have their answers: one may wait for what another says', async () => {
    const stopping = stopAfterTest()
    const { signal: stop } = stopping
    const { log, records } = recordingLog()
    let doer: Connection | undefined
    let reply = (_: unknown) => {}
    let asked = false
    class Host extends ListeningNode {
      override handlers = {
        here: (_: unknown, peer: Connection) => {
          doer = peer
        },
        reply: (text: unknown) => reply(text),
      }
      override answers = {
        task: async () => {
          asked = true
          if (doer) await send(doer, 'command', 'work')
          return {
            type: 'done',
            payload: await new Promise((resolve) => {
              reply = resolve
            }),
          }
        },
      }
    }
    const host = new Host({ peer: 'worker', host: '127.0.0.1', port: 0, stop, log })
    const running = host.run()
    await vi.waitFor(() => expect(records.at(-1)?.msg).toMatch(/^Listening on/), PATIENCE)
    const port = Number(String(records.at(-1)?.msg).split(':').at(-1))
    const to = { peer: 'host', host: '127.0.0.1', port, stop }

    const worker = await connect(to)
    let isTold = false
    const command = () => {
      isTold = true
    }
    const working = new Dialogue(worker, { handlers: { command }, unknown: () => {} })
    await send(worker, 'here', null)
    await vi.waitFor(() => expect(doer).toBeDefined(), PATIENCE)
    const asker = await connect(to)
    const answer = new Dialogue(asker, { unknown: () => {} }).ask('task', { answer: 'done', stop })
    await vi.waitFor(() => expect([asked, isTold]).toEqual([true, true]), PATIENCE)

    const drained = host.drain()
    // Nobody listens any more: so whatever the drain says at once has been said.
    await vi.waitFor(() => expect(connect(to)).rejects.toThrow(/^Nobody listens/), PATIENCE)
    await send(worker, 'reply', 'well')
    expect(await answer).toBe('well')
    await Promise.all([drained, working.ended])
    stopping.abort()
    await running
  })
})

const refused = { peer: 'daemon', host: '127.0.0.1', stop: new AbortController().signal }

describe.skipIf(process.platform === 'win32')('a socket that is handed over', () => {
  test('is listened on, and who came before the program was there is served', async () => {
    const { server, port, descriptor } = await openPort()
    const socket = { descriptor, said: 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=nodes' }
    const starting = aDaemon({ socket })
    server.close() // from now on it has it alone
    const { times } = await aPeer(port)
    expect(await times(21)).toBe(42)
    const daemon = await starting
    expect(daemon.port).toBe(port)
    expect(daemon.lines()).toContain('Sockets: ')
    expect(daemon.lines()).toContain(
      `The socket that was handed over listens on 127.0.0.1:${port}, and not on port 1: that one is not used.`,
    )
  })

  test.each([
    ['meant for another process', 'LISTEN_PID=1 LISTEN_FDS=1 LISTEN_FDNAMES=nodes'],
    ['called otherwise', 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web'],
  ])('is not, when it is %s', async (_, said) => {
    const { port, descriptor } = await openPort()
    const daemon = await aDaemon({ socket: { descriptor, said } })
    expect(daemon.port).not.toBe(port)
    expect(daemon.lines()).toContain('Sockets: ')
  })

  test.each([
    ['LISTEN_PID=$$ LISTEN_FDS=some', /does not say well which: LISTEN_FDS=some/],
    [
      'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=a:b',
      /does not say well which: LISTEN_FDS=1 LISTEN_FDNAMES=a:b/,
    ],
    [
      'LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=nodes:web',
      /descriptor 4 is a socket called web, and it is none/,
    ],
  ])('and not said well (%s) is a line, and exit code 1', async (said, line) => {
    const { descriptor } = await openPort()
    const folder = tempFolder()
    writeFileSync(join(folder, 'config.json'), '{"factor":2,"port":0}')
    const program = start('daemon.ts', [folder], { socket: { descriptor, said } })
    expect(await program.ended).toBe(1)
    expect(program.stdout).toMatch(line)
  })

  test('is none in a program that was started by hand', () => {
    expect(inheritedSocket('nodes')).toBeUndefined()
  })
})

describe.skipIf(process.platform === 'win32')('how a program does', () => {
  test('is an exit code and a document for who asks', async () => {
    const daemon = await aDaemon()
    const { folder } = daemon
    const ask = () => askHealth('program', { folder, timeoutMs: 20_000 })
    expect(await ask()).toEqual({
      exitCode: 0,
      health: {
        program: 'program',
        healthy: true,
        status: 'The factor is 2',
        reloads: { count: 0, problems: [] },
        pid: daemon.program.child.pid,
        upSeconds: expect.any(Number),
      },
    })
    const set = async (factor: number) => {
      daemon.configure({ factor })
      daemon.program.child.kill('SIGHUP')
      const [before] = [daemon.lines().filter((line) => line === 'Reloaded. Changed: factor').length]
      await daemon.says('Reloaded. Changed: factor', before + 1)
    }
    await set(0)
    expect(await ask()).toMatchObject({ exitCode: 1, health: { healthy: false, status: 'The factor is 0' } })
    await set(13)
    expect(await ask()).toMatchObject({
      exitCode: 1,
      health: { healthy: false, status: 'It cannot say how it does: unlucky' },
    })
    await set(14)
    expect(await askHealth('program', { folder, timeoutMs: 300 })).toMatchObject({
      exitCode: 1,
      health: { healthy: false, status: 'It has not answered in 0.3 s: does it hang?' },
    })
    daemon.program.child.kill('SIGKILL')
    await daemon.program.ended
    expect(await ask()).toEqual({
      exitCode: 3,
      health: { program: 'program', healthy: false, status: 'It does not run' },
    })
  })

  test('is told by each of two with one folder, and by another one when the first has ended', async () => {
    const daemon = await aDaemon()
    const { folder } = daemon
    const answers = (name: string, { child }: { child: { pid?: number | undefined } }) =>
      vi.waitFor(async () => {
        const { health } = await askHealth(name, { folder })
        expect(health['pid']).toBe(child.pid)
      }, PATIENCE)
    const second = start('daemon.ts', [folder])
    await answers('program-2', second)
    await answers('program', daemon.program)
    daemon.program.child.kill('SIGKILL')
    await daemon.program.ended
    const third = start('daemon.ts', [folder])
    await answers('program', third)
    await answers('program-2', second)
  })

  test('that cannot be told, as where no socket can be, is a warning', async () => {
    const folder = join(tempFolder(), 'x'.repeat(100))
    const { log, records } = recordingLog()
    const health = () => ({ healthy: true, status: '' })
    await tellHealth({ program: 'program', folder, log, health, stop: stopAfterTest().signal })
    expect(records).toMatchObject([
      { level: 'warn', msg: expect.stringMatching(/nobody can ask in .*: the path of/) },
    ])
  })
})

test('a credential is where systemd has put it, if it has', () => {
  const folder = tempFolder()
  writeFileSync(join(folder, 'key'), 'secret')
  vi.stubEnv('CREDENTIALS_DIRECTORY', folder)
  onTestFinished(() => void vi.unstubAllEnvs())
  expect(credentialFile('key', 'other')).toBe(join(folder, 'key'))
  expect(credentialFile('none', 'other')).toBe('other')
  expect(() => credentialFile('../key', 'other')).toThrow(TypeError)
  vi.stubEnv('CREDENTIALS_DIRECTORY', undefined)
  expect(credentialFile('key', 'other')).toBe('other')
})
