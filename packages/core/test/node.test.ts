import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { OperationalError } from '../src/lifecycle.ts'
import { ConnectingNode, type ConnectingNodeOptions, ListeningNode } from '../src/node.ts'
import { type Connection, connect, listen } from '../src/sockets.ts'
import { portOf, recordingLog, stopAfterTest } from './support.ts'

const PATIENCE = { timeout: 30_000, interval: 5 }

const frame = (type: string, payload: unknown) => `${JSON.stringify({ type, payload })}\r`

/** Listens, keeps what comes on each connection, and lets the test say something. */
async function aPeer() {
  const received: string[] = []
  const peers: Connection[] = []
  const { signal: stop } = stopAfterTest()
  const { log } = recordingLog()
  const listener = await listen({ peer: 'slave', host: '127.0.0.1', port: 0, stop, log }, async (slave) => {
    const index = peers.push(slave) - 1
    received[index] = ''
    for await (const text of slave) received[index] += text
  })
  const messages = (index = 0) =>
    (received[index] ?? '')
      .split('\r')
      .filter(Boolean)
      .map((text) => JSON.parse(text))
  return { port: portOf(listener), peers, messages }
}

/** Starts a node, with what it has logged. */
function started<Class extends ConnectingNode>(
  Node: new (options: ConnectingNodeOptions) => Class,
  port: number,
  options: Partial<ConnectingNodeOptions> = {},
) {
  const stopping = stopAfterTest()
  const { log, records } = recordingLog()
  const node = new Node({ peer: 'master', host: '127.0.0.1', port, stop: stopping.signal, log, ...options })
  const ended = node.run()
  ended.catch(() => {}) // a test looks at it
  const lines = () =>
    records.filter(({ level }) => level !== 'debug').map(({ level, msg }) => `${level} ${msg}`)
  return { node, ended, stopping, lines }
}

describe('a node that connects', () => {
  class Patient extends ConnectingNode {
    override performAction() {
      return this.pause(3_600_000)
    }
  }

  test('greets in each connection with the same number, and takes turns', async () => {
    class Counting extends ConnectingNode {
      turns = 0
      override async performAction() {
        this.turns += 1
        await this.send('turn', this.turns)
        await this.pause(50)
      }
    }
    const peer = await aPeer()
    const { node, lines } = started(Counting, peer.port)
    await vi.waitFor(() => expect(peer.messages().length).toBeGreaterThan(3), PATIENCE)
    await peer.peers[0]?.close()
    await vi.waitFor(() => expect(peer.messages(1).length).toBeGreaterThan(2), PATIENCE)
    for (const index of [0, 1])
      expect(peer.messages(index)[0]).toMatchObject({
        type: 'computer_details',
        payload: { client: node.client },
      })
    expect(peer.messages(0).slice(1, 3)).toEqual([
      { type: 'turn', payload: 1 },
      { type: 'turn', payload: 2 },
    ])
    // Turns go on where they were, and none was taken without a connection.
    const last = peer.messages(0).at(-1)?.payload
    expect([last + 1, last + 2]).toContain(peer.messages(1)[1]?.payload)
    expect(lines()).toContain(`info Connected to 127.0.0.1:${peer.port} as client ${node.client}`)
  })

  test('that does not wait is slowed, and told so once', async () => {
    let turns = 0
    class Hasty extends ConnectingNode {
      override async performAction() {
        turns += 1
      }
    }
    const peer = await aPeer()
    const { lines } = started(Hasty, peer.port)
    const about = () => lines().filter((line) => line.includes('a tenth of a second'))
    await vi.waitFor(() => expect(about()).toHaveLength(1), PATIENCE)
    const before = turns
    await sleep(1_000)
    expect(turns - before).toBeLessThanOrEqual(11)
    expect(about()).toEqual([
      'warn performAction has taken less than a tenth of a second 10 times in a row, and is called ten times a second at most. Let it wait, as in: await this.pause(5_000)',
    ])
  })

  test('by default does nothing, and stops at once in the midst of it', async () => {
    const peer = await aPeer()
    const { ended, stopping } = started(ConnectingNode, peer.port)
    await vi.waitFor(() => expect(peer.messages()).toHaveLength(1), PATIENCE)
    stopping.abort()
    await expect(ended).resolves.toBeUndefined()
    expect(peer.messages()).toHaveLength(1)
  })

  test('waits no longer than the connection lasts', async () => {
    const peer = await aPeer()
    started(Patient, peer.port)
    await vi.waitFor(() => expect(peer.messages()).toHaveLength(1), PATIENCE)
    await peer.peers[0]?.close()
    await vi.waitFor(() => expect(peer.messages(1)).toHaveLength(1), PATIENCE)
  })

  test('beats whatever its turn waits for, so that both ends hear something, and only in a silence', async () => {
    const peer = await aPeer()
    const { lines } = started(Patient, peer.port)
    const beats = () => peer.messages().filter(({ type }) => type === 'info')
    await vi.waitFor(() => expect(beats()).toHaveLength(1), PATIENCE)
    // This peer answers nothing, so it is asked again; one that talks, and is talked to, is not.
    await peer.peers[0]?.write(frame('master_info', {}))
    await vi.waitFor(() => expect(beats()).toHaveLength(2), PATIENCE)
    expect(beats()[1]).toEqual({ type: 'info', payload: 'computer_details' })
    expect(lines().join()).not.toContain('Unknown')
  })

  test('beats in its own way', async () => {
    class Other extends Patient {
      override async beat() {
        await this.send('info', 'something_else')
      }
    }
    const peer = await aPeer()
    started(Other, peer.port)
    await vi.waitFor(
      () => expect(peer.messages()).toContainEqual({ type: 'info', payload: 'something_else' }),
      PATIENCE,
    )
  })

  test('asks, is answered, and cannot where there is no connection', async () => {
    const answers: unknown[] = []
    class Asking extends ConnectingNode {
      override async performAction() {
        answers.push(await this.ask('time', { answer: 'its_time' }))
        await this.pause(60_000)
      }
    }
    const peer = await aPeer()
    const { node, stopping } = started(Asking, peer.port)
    await expect(node.send('early', 1)).rejects.toThrow('There is no connection to the master now.')
    await vi.waitFor(() => expect(peer.messages()).toHaveLength(2), PATIENCE)
    expect(peer.messages()[1]).toMatchObject({ type: 'info', payload: 'time' })
    await peer.peers[0]?.write(frame('its_time', 7))
    await vi.waitFor(() => expect(answers).toEqual([7]), PATIENCE)
    stopping.abort()
    await vi.waitFor(() => expect(peer.peers[0]?.socket.destroyed).toBe(true), PATIENCE)
    await expect(node.send('late', 1)).rejects.toThrow(OperationalError)
  })
})

describe('a mistake', () => {
  class Mistaken extends ConnectingNode {
    turns = 0
    override handlers = {
      bad: () => {
        throw new TypeError('not a handler')
      },
      good: () => {},
    }
    override answers = {
      bad: () => {
        throw new TypeError('not an answer')
      },
    }
    override async performAction() {
      this.turns += 1
      await this.pause(50)
      if (this.turns === 2) throw new TypeError('not a function')
    }
  }

  test('in a turn ends the node', async () => {
    const peer = await aPeer()
    const { ended, node } = started(Mistaken, peer.port)
    await expect(ended).rejects.toThrow('not a function')
    expect(node.turns).toBe(2)
    await vi.waitFor(() => expect(peer.peers[0]?.socket.destroyed).toBe(true), PATIENCE)
  })

  test.each(['bad', 'info'])('in a handler or an answer (%s) ends it as well', async (type) => {
    class Quiet extends Mistaken {
      override async performAction() {
        await this.pause(60_000)
      }
    }
    const peer = await aPeer()
    const { ended } = started(Quiet, peer.port)
    await vi.waitFor(() => expect(peer.messages()).toHaveLength(1), PATIENCE)
    await peer.peers[0]?.write(frame(type, 'bad'))
    await expect(ended).rejects.toThrow(/not an? (handler|answer)/)
  })

  test('is survived where it shall be: it is told, and all else goes on, in the same connection', async () => {
    const peer = await aPeer()
    const { node, lines } = started(Mistaken, peer.port, { mistakes: 'survive' })
    await vi.waitFor(() => expect(node.turns).toBeGreaterThan(4), PATIENCE)
    await peer.peers[0]?.write(frame('bad', 1) + frame('info', 'bad') + frame('good', 1))
    await vi.waitFor(() => expect(peer.messages()).toHaveLength(2), PATIENCE)
    // A question has exactly one answer, whatever happens.
    expect(peer.messages()[1]).toEqual({ type: 'bad_message', payload: 'unknown' })
    const told = lines().filter((line) => line.includes('mistake'))
    expect(told).toEqual([
      'error A mistake in performAction, which the node survives: TypeError: not a function (its stack is in the log file)',
      'error A mistake in the handler of bad, which the node survives: TypeError: not a handler (its stack is in the log file)',
      'error A mistake in the answer to bad, which the node survives: TypeError: not an answer (its stack is in the log file)',
    ])
    expect(peer.peers).toHaveLength(1)
  })

  test('is not what fails by the world: it is told, and the node goes on', async () => {
    class Unlucky extends ConnectingNode {
      turns = 0
      override async performAction() {
        this.turns += 1
        await this.pause(50)
        if (this.turns === 1) throw new OperationalError('The disk is full.')
      }
    }
    const peer = await aPeer()
    const { node, lines } = started(Unlucky, peer.port)
    await vi.waitFor(() => expect(node.turns).toBeGreaterThan(2), PATIENCE)
    expect(lines()).toContain('warn performAction: The disk is full.')
    expect(peer.peers).toHaveLength(1)
  })
})

describe('a node that listens', () => {
  class Answering extends ListeningNode {
    override handlers = {
      name: (hostname: unknown, peer: Connection) => this.roster.introduce(peer, { hostname }),
      bad: () => {
        throw new TypeError('not a handler')
      },
    }
    override answers = {
      name: (peer: Connection) => ({ type: 'its_name', payload: this.roster.nameOf(peer) }),
    }
  }

  test('knows who is here, answers, tells what is unknown; a mistake ends one connection', async () => {
    const stopping = stopAfterTest()
    const { log, records } = recordingLog()
    const node = new Answering({ peer: 'slave', host: '127.0.0.1', port: 0, stop: stopping.signal, log })
    const ended = node.run()
    const lines = () => records.map(({ msg }) => msg)
    await vi.waitFor(() => expect(lines()[0]).toMatch(/^Listening on/), PATIENCE)
    const port = Number(lines()[0]?.split(':').at(-1))
    const { signal: stop } = stopAfterTest()
    const [one, other] = await Promise.all(
      ['one', 'other'].map(async (name) => {
        const peer = await connect({ peer: 'node', host: '127.0.0.1', port, stop })
        let received = ''
        void (async () => {
          for await (const text of peer) received += text
        })()
        await peer.write(frame('name', name) + frame('info', 'name') + frame('lights', 'on'))
        return { peer, received: () => received }
      }),
    )
    await vi.waitFor(() => expect(one?.received()).toBe(frame('its_name', 'one')), PATIENCE)
    await vi.waitFor(() => expect(lines()).toContain('Unknown message from one: lights, with on'), PATIENCE)
    expect(node.roster.members.map(({ name }) => name).sort()).toEqual(['one', 'other'])
    await one?.peer.write(frame('bad', 1))
    await vi.waitFor(() => expect(node.roster.members.map(({ name }) => name)).toEqual(['other']), PATIENCE)
    await other?.peer.write(frame('info', 'name'))
    await vi.waitFor(() => expect(other?.received()).toBe(frame('its_name', 'other').repeat(2)), PATIENCE)
    stopping.abort()
    await expect(ended).resolves.toBeUndefined()
  })

  test('that cannot listen says so', async () => {
    const peer = await aPeer()
    const { log } = recordingLog()
    const { signal: stop } = stopAfterTest()
    const node = new ListeningNode({ peer: 'slave', host: '127.0.0.1', port: peer.port, stop, log })
    await expect(node.run()).rejects.toThrow(`Port ${peer.port} is taken`)
  })
})
