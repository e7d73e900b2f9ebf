import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { Identities, identityOfNode } from '../src/identities.ts'
import { isIdentity } from '../src/kept-identity.ts'
import { keyFileName } from '../src/key-file.ts'
import { Presence } from '../src/live.ts'
import { Roster } from '../src/roster.ts'
import type { Connection } from '../src/sockets.ts'
import { openStore } from '../src/store.ts'
import { KeptVitals } from '../src/vitals.ts'
import { PATIENCE, signingListener, stranger } from './signed-support.ts'
import { recordingLog, start, stopAfterTest, tempFolder } from './support.ts'

/** Those who connect to a listener that signs, with a roster and identities. */
async function aCluster() {
  const listening = await signingListener({ unsigned: ['127.0.0.1'] })
  const { log, records } = recordingLog()
  const roster = new Roster({ log, stop: stopAfterTest().signal })
  const identities = new Identities({ log, silenceMs: 400 })
  const peerAt = async (count: number) => {
    await vi.waitFor(() => expect(listening.peers).toHaveLength(count + 1), PATIENCE)
    const peer = listening.peers[count]
    if (!peer) throw new Error('nobody came')
    roster.add(peer)
    return peer
  }
  const unproven = async (count: number) => {
    const { socket } = await stranger(listening.port)
    socket.write('{"type":"says","payload":"x"}\r')
    return peerAt(count)
  }
  const names = () => roster.members.map(({ name }) => name)
  return {
    ...listening,
    roster,
    identities,
    peerAt,
    unproven,
    names,
    logged: () => records.map(({ msg }) => msg),
  }
}

describe('a node that has proven its name', () => {
  test('is called so at once, whatever it tells, and two that have one key are told apart', async () => {
    const { arrives, roster, peerAt, names, logged } = await aCluster()
    await arrives('pi-3')
    const peer = await peerAt(0)
    expect(names()).toEqual(['pi-3'])
    roster.introduce(peer, { hostname: 'pi-4', client: 4711, cpu_cores: 4 })
    expect(roster.members).toMatchObject([{ name: 'pi-3', details: { cpu_cores: 4, client: 4711 } }])
    expect(peer.peer).toBe(`pi-3 at ${peer.address}`)
    await arrives('pi-3')
    await peerAt(1)
    expect(names()).toEqual(['pi-3', 'pi-3 (2)'])
    expect(logged()).toEqual([
      `pi-3 has joined, from ${peer.address}`,
      expect.stringMatching(/^pi-3 \(2\) has joined, from /),
    ])
  })

  test('has the name also if somebody without a key says that it is his', async () => {
    const { arrives, roster, peerAt, unproven, names, logged } = await aCluster()
    roster.introduce(await unproven(0), { hostname: 'pi-3' })
    expect(names()).toEqual(['pi-3'])
    await arrives('pi-3')
    await peerAt(1)
    expect(names()).toEqual(['pi-3 without a key', 'pi-3'])
    expect(logged()).toContain('pi-3 is pi-3 without a key now')
    roster.introduce(await unproven(2), { hostname: 'pi-3' })
    expect(names()).toEqual(['pi-3 without a key', 'pi-3', 'pi-3 (2)'])
  })

  test('has an identity by its name, which nobody else can show', async () => {
    const { arrives, identities, peerAt, unproven } = await aCluster()
    await arrives('pi-3')
    const peer = await peerAt(0)
    const own = identityOfNode('pi-3')
    expect(isIdentity(own)).toBe(true)
    expect(own).not.toBe(identityOfNode('pi-4'))
    expect(identities.identityOf(peer)).toBe(own)
    identities.introduce(peer, { uuid: identityOfNode('pi-4'), client: 1 })
    expect(identities.identityOf(peer)).toBe(own)
    expect(identities.give(peer)).toBe(own)
    const liar = await unproven(1)
    identities.introduce(liar, { uuid: own, client: 1 })
    expect(identities.identityOf(liar)).toBeUndefined()
    expect(peer.socket.destroyed).toBe(false)
    identities.introduce(liar, { uuid: '0'.repeat(32), client: 1 })
    expect(identities.identityOf(liar)).toBe('0'.repeat(32))
  })

  test('is missed when it has told what it is; who has only proven a name, to give a command, is not', async () => {
    const { arrives, roster, identities, peerAt } = await aCluster()
    const { table } = new Presence({ roster, identities, stop: stopAfterTest().signal })
    const commander = await arrives('pi-3')
    await peerAt(0)
    const node = await arrives('pi-4')
    roster.introduce(await peerAt(1), { hostname: 'pi', client: 1 })
    await vi.waitFor(() => expect(table.size).toBe(2), PATIENCE)
    for (const each of [commander, node]) await each.close()
    await vi.waitFor(
      () => expect(table.entries().map(([, { name, state }]) => [name, state])).toEqual([['pi-4', 'gone']]),
      PATIENCE,
    )
  })

  test('has its vitals under its own identity, whatever it or somebody without a key shows', async () => {
    const { arrives, roster, peerAt, unproven } = await aCluster()
    const { log } = recordingLog()
    const stopping = stopAfterTest()
    const keep = { rawDays: 1, fiveMinutesDays: 1, hoursDays: 1 }
    const store = await openStore({ name: 'vitals', keep, folder: tempFolder(), stop: stopping.signal, log })
    const kept = new KeptVitals({ log, roster, store })
    const says = (peer: Connection, uuid: string) => {
      roster.introduce(peer, { hostname: 'pi', client: 1 })
      kept.introduce(peer, { hostname: 'pi', client: 1, uuid })
      kept.take({ cpu_percentage: 1 }, peer)
    }
    await arrives('pi-3')
    says(await peerAt(0), '0'.repeat(32))
    says(await unproven(1), identityOfNode('pi-3'))
    const nodes = kept.table.entries().map(([, { node }]) => node)
    expect(nodes.sort()).toEqual([identityOfNode('pi-3'), 'pi'].sort())
    stopping.abort()
  })

  test('is the same node when it comes back, and the old connection is closed', async () => {
    const { arrives, identities, peerAt } = await aCluster()
    await arrives('pi-3')
    const first = await peerAt(0)
    identities.introduce(first, { client: 7 })
    await arrives('pi-3')
    const second = await peerAt(1)
    identities.introduce(second, { client: 7 })
    await vi.waitFor(() => expect(first.socket.destroyed).toBe(true), PATIENCE)
    expect(second.socket.destroyed).toBe(false)
  })
})

describe('a process that signs', () => {
  async function running(mode = '') {
    const listening = await signingListener()
    const { folder, port, hears, peers } = listening
    const program = start('signing-node.ts', [join(folder, keyFileName('pi-3')), String(port), mode])
    await vi.waitFor(() => expect(listening.heard).toContain('pi-3: says "here"'), PATIENCE)
    const gone = () => vi.waitFor(() => expect(peers[0]?.socket.destroyed).toBe(true), PATIENCE)
    return { ...listening, program, gone, hears }
  }

  test('and is stopped, leaves without an alarm', async () => {
    const { program, gone, lines } = await running()
    program.child.kill('SIGTERM')
    expect(await program.ended).toBe(0)
    await gone()
    expect(lines()).toEqual([])
  })

  test('and is killed, was cut off, as far as anybody can say', async () => {
    const { program, gone, tells } = await running()
    program.child.kill('SIGKILL')
    await gone()
    await tells(
      /^The connection to pi-3 at 127\.0\.0\.1:\d+ was cut off at the end: .* Its program was killed, /,
    )
  })

  test('and ends by a mistake, is told to have gone', async () => {
    const { program, gone, lines } = await running('mistake')
    expect(await program.ended).toBe(1)
    await gone()
    expect(lines().filter((line) => /Refused|mistake/.test(line))).toEqual([])
  })

  test('and finds that the listener has stopped, says that it was closed, and not that it was cut off', async () => {
    const { program, stopping } = await running()
    stopping.abort()
    await vi.waitFor(
      () =>
        expect(program.stdout).toMatch(/Lost the connection to the primary at .*: the other end closed it/),
      PATIENCE,
    )
    expect(program.stdout).not.toMatch(/cut off|Refused/)
    program.child.kill('SIGTERM')
    await program.ended
  })
})
