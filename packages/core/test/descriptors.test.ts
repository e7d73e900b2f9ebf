import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { forPeers, limitOfProcess } from '../src/descriptors.ts'
import { jsonLines, type Program, start, tempFolder } from './support.ts'

/** Descriptors that are left to the program itself, and to peers that only wait before they are sent away. */
const LEFT_FREE = 8
const WAITING = 4

const until = (isSo: () => void) => vi.waitFor(isSo, { timeout: 20_000, interval: 10 })

test('where the system does not say how many there may be, peers have room', () => {
  expect(forPeers(limitOfProcess('/nowhere'))).toBe(Infinity)
  expect(forPeers(1024)).toBe(1024 - LEFT_FREE - 64)
})

// Elsewhere the system does not say how many a program may have.
test.runIf(process.platform === 'linux')(
  'with 64 descriptors, it says once that it turns peers away, counts them, serves the others, and then new ones',
  async () => {
    const folder = tempFolder()
    const program = start('runs-out-of-descriptors.ts', [folder], { maxDescriptors: 64 })
    const lines = () => jsonLines(join(folder, 'program.log')).map(({ msg }) => String(msg))
    const port = await portOf(program)

    const peers = await Promise.all(Array.from({ length: 100 }, () => openSocket(port)))
    const served: Socket[] = []
    for (const peer of peers) peer.once('data', () => served.push(peer)).write('hello')
    const known = () => served.length + peers.filter(({ destroyed }) => destroyed).length
    await until(() => expect(known()).toBe(peers.length - WAITING))
    expect(served.length).toBeLessThan(64 - LEFT_FREE - WAITING)
    const turnedAway = () => lines().filter((line) => line.startsWith('Turned away'))
    expect(turnedAway()[0]).toMatch(
      /^Turned away 127\.0\.0\.1:\d+: this program may have 64 open files and connections, and 5\d are in use\. Close some, or allow more: with `ulimit -n` before the start, or LimitNOFILE= in a systemd unit\. Others are counted\.$/,
    )

    const [first, other] = served as [Socket, Socket]
    first.write('use all')
    await until(() => expect(lines()).toContain('All are in use'))
    const whyNot =
      'this program has as many open files and connections as it may. Close some, or allow more: with `ulimit -n` before the start, or LimitNOFILE= in a systemd unit.'
    expect(lines()).toEqual(
      expect.arrayContaining([
        `Cannot connect to the other node at 127.0.0.1:${port}: ${whyNot}`,
        `Cannot connect to the other node at localhost:${port}: ${whyNot}`,
        `Cannot listen on 127.0.0.1:0: ${whyNot}`,
      ]),
    )

    other.destroy()
    let newcomers = 0
    do newcomers += 1
    while (!(await isServed(await openSocket(port))))

    await until(() => expect(peers.filter(({ destroyed }) => !destroyed)).toHaveLength(served.length - 1))

    program.child.kill('SIGTERM')
    expect(await program.ended).toBe(0)
    const counted = turnedAway()
      .slice(1)
      .map((line) => Number(/^Turned away (\d+) more for the same reason$/.exec(line)?.[1]))
    expect(counted.reduce((sum, count) => sum + count, 1)).toBe(peers.length - served.length + newcomers - 1)
    expect(lines().at(-1)).toBe('Stopped')
  },
)

async function portOf(program: Program): Promise<number> {
  await until(() => expect(program.stdout).toContain('Listening'))
  return Number(/Listening on 127\.0\.0\.1:(\d+)/.exec(program.stdout)?.[1])
}

/** Whether a peer is answered, and not turned away. */
async function isServed(peer: Socket): Promise<boolean> {
  if (peer.destroyed) return false
  peer.write('hello')
  await new Promise((resolve) => peer.once('data', resolve).once('close', resolve))
  return !peer.destroyed
}

async function openSocket(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return socket
}
