import { spawnSync } from 'node:child_process'
import { getEventListeners, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { OperationalError } from '../src/lifecycle.ts'
import { type StayConnectedOptions, stayConnected } from '../src/reconnect.ts'
import { type Connection, listen } from '../src/sockets.ts'
import { portOf, recordingLog, start, stopAfterTest, tempFolder } from './support.ts'

const PATIENCE = { timeout: 30_000, interval: 5 }

const WAITING =
  'Waiting until the master is there: trying again within a second, then less and less often, up to a minute after the last try.'

/** Makes every pause the shortest that it can be: a try begins its window. So they come at 0, 1, 3, 7 and 15 s. */
function withoutLuck(): void {
  const random = vi.spyOn(Math, 'random').mockReturnValue(0)
  onTestFinished(() => random.mockRestore())
}

/** A listener that the test can end and start again, and the peers that it has had. */
async function aMaster(serve: (peer: Connection) => Promise<void> = forAsLongAsItStays) {
  const peers: Connection[] = []
  let ending = new AbortController()
  onTestFinished(() => ending.abort())
  const begin = async (port: number) => {
    ending = new AbortController()
    const { log } = recordingLog()
    return portOf(
      await listen({ peer: 'slave', host: '127.0.0.1', port, stop: ending.signal, log }, (peer) => {
        peers.push(peer)
        return serve(peer)
      }),
    )
  }
  const port = await begin(0)
  return { port, peers, end: () => ending.abort(), begin: () => begin(port) }
}

async function forAsLongAsItStays(peer: Connection): Promise<void> {
  for await (const _ of peer.chunks());
}

/** A program that stays connected, what it has logged, and the connections that it has had. */
function aSlave(
  port: number,
  use: (connection: Connection, over: AbortSignal) => Promise<void> = forAsLongAsItStays,
  options: Partial<StayConnectedOptions> = {},
) {
  const stopping = stopAfterTest()
  const { log, records } = recordingLog()
  const connections: Connection[] = []
  const ended = stayConnected(
    { peer: 'master', host: '127.0.0.1', port, stop: stopping.signal, log, ...options },
    (connection, over) => {
      connections.push(connection)
      return use(connection, over)
    },
  )
  ended.catch(() => {}) // a test looks at it
  const lines = () => records.filter(({ level }) => level !== 'debug').map(({ msg }) => msg)
  return { ended, stopping, connections, lines, records }
}

describe('a peer that is not there', () => {
  test('is waited for, and that is said once', async () => {
    const master = await aMaster()
    master.end()
    withoutLuck()
    const slave = aSlave(master.port)
    await vi.waitFor(() => expect(slave.lines()).toHaveLength(2), PATIENCE)
    await sleep(1_500) // two more tries
    await master.begin()
    await vi.waitFor(() => expect(slave.connections).toHaveLength(1), PATIENCE)
    expect(slave.lines()).toEqual([
      `Nobody listens on 127.0.0.1:${master.port}. Is the master running?`,
      WAITING,
    ])
  })

  test('that is back soon or never is tried in short pauses, and is told of when it was away for two of them', async () => {
    const master = await aMaster()
    master.end()
    const { lines, records } = aSlave(master.port, forAsLongAsItStays, { longestPauseMs: 1_000 })
    await vi.waitFor(() => expect(lines()).toHaveLength(2), PATIENCE)
    expect(lines()).toEqual([
      `Nobody listens on 127.0.0.1:${master.port}. Is the master running?`,
      'Waiting until the master is there: trying again and again, up to 1 s after the last try.',
    ])
    expect(records.slice(0, 2).map(({ level }) => level)).toEqual(['debug', 'debug'])
  })

  test('and comes back is connected to again, each time with a signal of its own', async () => {
    const master = await aMaster()
    const ends: unknown[] = []
    const slave = aSlave(master.port, async (_, over) => {
      await once(over, 'abort')
      ends.push(over.reason)
    })
    for (const count of [1, 2, 3]) {
      await vi.waitFor(() => expect(master.peers).toHaveLength(count), PATIENCE)
      await vi.waitFor(() => expect(slave.connections).toHaveLength(count), PATIENCE)
      master.end()
      await vi.waitFor(() => expect(ends).toHaveLength(count), PATIENCE)
      await master.begin()
    }
    const lost = `Lost the connection to the master at 127.0.0.1:${master.port}: the other end closed it.`
    expect(ends.map(String)).toEqual(Array(3).fill(`OperationalError: ${lost}`))
    expect(slave.lines().slice(0, 2)).toEqual([lost, WAITING])
    expect(slave.lines().filter((line) => line === WAITING)).toHaveLength(1)
  })

  const canUnshare = spawnSync('unshare', ['--map-root-user', '--mount', 'true']).status === 0
  test.runIf(canUnshare)(
    'its name is looked up again for each try, and all its addresses are tried',
    async () => {
      const program = start('finds-its-name.ts', [tempFolder()], { files: true })
      expect(await program.ended, program.stderr).toBe(0)
      expect(program.stdout.split('\n')).toEqual([
        expect.stringMatching(/^No machine is known by the name in master\.test:\d+\./),
        WAITING,
        expect.stringMatching(/^Nobody listens on master\.test:\d+\./),
        'Connected to 127.0.0.3',
        '',
      ])
    },
  )
})

describe('a peer that takes connections and does nothing with them', () => {
  test.each<[string, number, (peer: Connection) => Promise<void>]>([
    ['closes each', 60_000, () => Promise.resolve()],
    ['says something and closes it', 60_000, async (peer) => void (await peer.write('hello'))],
    ['says nothing, and closes it when it has lasted', 100, () => sleep(200)],
  ])('is not hammered when it %s', async (_, lastingMs, serve) => {
    withoutLuck()
    const master = await aMaster(serve)
    const slave = aSlave(master.port, undefined, { lastingMs })
    await sleep(4_000) // 0 s, and then the windows that begin at 0, 1 and 3 s
    expect(slave.connections.length).toBeGreaterThan(0)
    expect(slave.connections.length).toBeLessThanOrEqual(4)
    // Each loss is told, and what is waited for once.
    const lines = slave.lines()
    expect(lines.filter((line) => line === WAITING)).toHaveLength(1)
    expect(Math.abs(lines.length - 1 - slave.connections.length)).toBeLessThanOrEqual(1)
  })

  test('and after one that has lasted and talked the pauses begin again with the shortest', async () => {
    withoutLuck()
    const master = await aMaster(async (peer) => {
      await peer.write('hello')
      await sleep(300)
    })
    const slave = aSlave(master.port, undefined, { lastingMs: 100 })
    // If it were no new beginning, the eighth would come after a minute.
    await vi.waitFor(() => expect(slave.connections.length).toBeGreaterThan(7), PATIENCE)
    expect(slave.lines().filter((line) => line === WAITING).length).toBeGreaterThan(5)
  })
})

describe('what a program does with a connection', () => {
  test('may come to an end: then the connection is closed, and another one comes', async () => {
    const master = await aMaster()
    const slave = aSlave(master.port, () => Promise.resolve())
    await vi.waitFor(() => expect(master.peers.length).toBeGreaterThan(1), PATIENCE)
    expect(slave.lines().slice(0, 2)).toEqual([
      `This end closed the connection to the master at 127.0.0.1:${master.port}.`,
      WAITING,
    ])
  })

  test('may fail: then the connection is closed, and another one comes', async () => {
    const master = await aMaster()
    const slave = aSlave(master.port, async () => {
      throw new OperationalError('The master answers nonsense.')
    })
    await vi.waitFor(() => expect(slave.connections.length).toBeGreaterThan(1), PATIENCE)
    await vi.waitFor(() => expect(slave.connections[0]?.socket.destroyed).toBe(true), PATIENCE)
    expect(slave.lines().slice(0, 3)).toEqual([
      'The master answers nonsense.',
      WAITING,
      'The master answers nonsense.',
    ])
  })

  test('may have a mistake in it, which ends the program', async () => {
    const master = await aMaster()
    const slave = aSlave(master.port, () => Promise.reject(new TypeError('undefined is not a function')))
    await expect(slave.ended).rejects.toThrow('undefined is not a function')
    expect(slave.lines()).toEqual([])
    await vi.waitFor(() => expect(slave.connections[0]?.socket.destroyed).toBe(true), PATIENCE)
  })

  test('may wait on the signal: that this was aborted is no mistake', async () => {
    const master = await aMaster()
    const slave = aSlave(master.port, (_, over) => sleep(3_600_000, undefined, { signal: over }))
    await vi.waitFor(() => expect(slave.connections).toHaveLength(1), PATIENCE)
    master.end()
    await vi.waitFor(() => expect(slave.lines()).toContain(WAITING), PATIENCE)
    expect(slave.lines()[0]).toMatch(/^Lost the connection/)
  })

  test('is not said again to the next connection: who sends on a lost one is told', async () => {
    let received = ''
    const master = await aMaster(async (peer) => {
      for await (const text of peer) received += text
    })
    const failures: unknown[] = []
    const slave = aSlave(master.port, async (connection, over) => {
      await connection.write(`${slave.connections.length} `)
      await once(over, 'abort')
      try {
        await connection.write('late')
      } catch (error) {
        failures.push(error)
      }
    })
    await vi.waitFor(() => expect(received).toBe('1 '), PATIENCE)
    master.end()
    await vi.waitFor(() => expect(failures).toEqual([expect.any(OperationalError)]), PATIENCE)
    await master.begin()
    await vi.waitFor(() => expect(received).toBe('1 2 '), PATIENCE)
  })
})

describe('the stop signal', () => {
  test.each(['connected', 'waiting'])('ends it while it is %s', async (state) => {
    const master = await aMaster()
    const slave = aSlave(master.port)
    await vi.waitFor(() => expect(slave.connections).toHaveLength(1), PATIENCE)
    if (state === 'waiting') {
      master.end()
      await vi.waitFor(() => expect(slave.lines().at(-1)).toBe(WAITING), PATIENCE)
      await sleep(1_100) // the first try has failed
    }
    slave.stopping.abort()
    await expect(slave.ended).resolves.toBeUndefined()
    expect(slave.connections.at(-1)?.socket.writable).toBe(false)
  })

  test('is listened to by no connection that has ended', async () => {
    withoutLuck()
    const master = await aMaster(async (peer) => {
      await peer.write('hello')
      await sleep(20)
    })
    const slave = aSlave(master.port, undefined, { lastingMs: 1 })
    const listeners = () => getEventListeners(slave.stopping.signal, 'abort').length
    await vi.waitFor(() => expect(slave.connections.length).toBeGreaterThan(20), PATIENCE)
    expect(listeners()).toBeLessThan(6)
  })
})

test('a port that is none is an error of the program', async () => {
  await expect(aSlave(70_000).ended).rejects.toThrow(TypeError)
})
