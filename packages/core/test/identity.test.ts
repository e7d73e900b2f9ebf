import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { Refusal } from '../src/dialogue.ts'
import { Identities, newIdentity, openIdentity } from '../src/identity.ts'
import { OperationalError } from '../src/lifecycle.ts'
import type { Connection } from '../src/sockets.ts'
import { connectedPair, recordingLog, start, tempFolder } from './support.ts'

const PATIENCE = { timeout: 20_000, interval: 5 }

/** Starts a process that has an identity in a folder, and says which. */
async function node(folder: string) {
  const program = start('has-identity.ts', [folder])
  await vi.waitFor(() => expect(program.stdout).toContain('\n'), PATIENCE)
  const said: { uuid: string; isKept: boolean; path: string } = JSON.parse(program.stdout)
  const die = async () => {
    program.child.kill('SIGKILL')
    await program.ended
  }
  return { ...said, die, program }
}

describe('what a node keeps', () => {
  test('it has after kill -9, too, and each of several nodes in one folder its own', async () => {
    const folder = tempFolder()
    const first = await node(folder)
    const second = await node(folder)
    expect(first).toMatchObject({ isKept: false, uuid: expect.stringMatching(/^[0-9a-f]{32}$/) })
    expect(second.uuid).not.toBe(first.uuid)
    expect(first.path).toBe(join(folder, 'node.json'))
    expect(second.path).toBe(join(folder, 'node-2.json'))
    await first.die()
    const again = await node(folder)
    expect(again).toMatchObject({ uuid: first.uuid, isKept: true })
    const third = await node(folder)
    expect(new Set([again.uuid, second.uuid, third.uuid]).size).toBe(3)
  })

  test('is whole, whenever its process is killed', async () => {
    const folder = tempFolder()
    for (let count = 0; count < 5; count += 1) {
      const program = start('has-identity.ts', [folder, 'again'])
      await vi.waitFor(() => expect(program.stdout).toContain('\n'), PATIENCE)
      await sleep(Math.random() * 20)
      program.child.kill('SIGKILL')
      await program.ended
      expect(JSON.parse(readFileSync(join(folder, 'node.json'), 'utf8'))).toEqual({
        uuid: expect.stringMatching(/^[0-9a-f]{32}$/),
      })
    }
  })

  test.each(['', '{"uuid":', '{"uuid":"x"}', 'null', '{"uuid":"0123456789ABCDEF0123456789ABCDEF"}'])(
    'is none when its file has %j in it: that is told, and a new one is written',
    async (text) => {
      const folder = tempFolder()
      const path = join(folder, 'node.json')
      writeFileSync(path, text)
      const { log, records } = recordingLog()
      const identity = await openIdentity({ name: 'node', folder, log })
      expect(identity.uuid).toBeUndefined()
      expect(records.map(({ msg }) => msg)).toEqual([
        `There is no identity in ${path}: a new one is asked for.`,
      ])
      const uuid = newIdentity()
      await identity.keep(uuid)
      expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ uuid })
      expect(readdirSync(folder)).toEqual(['node.json'])
    },
  )

  test('holds for the process where it cannot be written, and that is told', async () => {
    const folder = join(tempFolder(), 'a file')
    writeFileSync(folder, '')
    const { log, records } = recordingLog()
    const identity = await openIdentity({ name: 'node', folder, log })
    const uuid = newIdentity()
    await identity.keep(uuid)
    expect(identity.uuid).toBe(uuid)
    expect(records.at(-1)?.msg).toMatch(
      /^Cannot keep the identity in .*a file\/node\.json \(.*\): after its next start, this node will have another one\.$/,
    )
  })

  test('is refused when it is no identity', async () => {
    const { log } = recordingLog()
    const identity = await openIdentity({ name: 'node', folder: tempFolder(), log })
    for (const none of [undefined, 'unknown', 7, {}, 'A'.repeat(32)])
      await expect(identity.keep(none)).rejects.toThrow(
        /^An identity has 32 hexadecimal digits, and this is /,
      )
    expect(identity.uuid).toBeUndefined()
  })

  test('is asked for when there is none, and not again; a peer that gives none is told', async () => {
    const { log, records } = recordingLog()
    const identity = await openIdentity({ name: 'node', folder: tempFolder(), log })
    const refused = () => Promise.reject(new Refusal('unknown'))
    expect(await identity.get(refused)).toBeUndefined()
    expect(await identity.get(async () => 'hello all')).toBeUndefined()
    await expect(identity.get(() => Promise.reject(new OperationalError('lost')))).rejects.toThrow('lost')
    expect(records.map(({ msg }) => msg)).toEqual([
      'There is no identity for this node here: the peer gives none.',
      'An identity has 32 hexadecimal digits, and what came is none: hello all',
    ])
    const uuid = newIdentity()
    expect(await identity.get(async () => uuid)).toBe(uuid)
    expect(await identity.get(() => Promise.reject(new Error('asked again')))).toBe(uuid)
    expect(JSON.parse(readFileSync(identity.path, 'utf8'))).toEqual({ uuid })
  })

  test('is where systemd has made a folder for it', async () => {
    const folder = tempFolder()
    vi.stubEnv('STATE_DIRECTORY', `${folder}:/elsewhere`)
    const { path } = await openIdentity({ name: 'slave', log: recordingLog().log })
    vi.unstubAllEnvs()
    expect(path).toBe(join(folder, 'slave.json'))
  })
})

/** A listener's identities, and peers that come and show one. */
function someIdentities() {
  const { log, records } = recordingLog()
  const identities = new Identities({ log, silenceMs: 3_000 })
  const comes = async (details: unknown) => {
    const { master, slave } = await connectedPair()
    const end = vi.fn()
    void read(master).then(end, end)
    identities.introduce(master, details)
    let beat: NodeJS.Timeout | undefined
    const beats = () => {
      beat = setInterval(() => slave.socket.write('x'), 100)
      slave.socket.once('close', () => clearInterval(beat))
    }
    return { peer: master, slave, end, beats, stands: () => clearInterval(beat) }
  }
  return { identities, records, comes }
}

async function read(connection: Connection): Promise<string> {
  for await (const _ of connection.chunks());
  return 'closed'
}

describe('a peer that shows the identity of one that is here', () => {
  const uuid = newIdentity()

  test('and the same number is that node, come back: its old connection is closed at once', async () => {
    const { identities, records, comes } = someIdentities()
    const old = await comes({ uuid, client: 1 })
    old.beats()
    const { peer, end } = await comes({ uuid, client: 1 })
    await vi.waitFor(() => expect(old.end).toHaveBeenCalled(), PATIENCE)
    expect(old.end.mock.lastCall?.[0].message).toBe(
      `${old.peer.peer} has come back, from ${peer.address}. Its connection from ${old.peer.address} is closed.`,
    )
    expect(end).not.toHaveBeenCalled()
    expect(identities.identityOf(peer)).toBe(uuid)
    expect(identities.identityOf(old.peer)).toBeUndefined()
    expect(records).toEqual([])
  })

  test('and another number replaces it when the older one says nothing', async () => {
    const { identities, records, comes } = someIdentities()
    const old = await comes({ uuid, client: 1 })
    const { peer, beats, end } = await comes({ uuid, client: 2 })
    beats()
    await vi.waitFor(() => expect(old.end).toHaveBeenCalled(), PATIENCE)
    expect(end).not.toHaveBeenCalled()
    expect(identities.isCopy(peer)).toBe(false)
    expect(records).toEqual([])
  })

  test('and another number is a copy when both go on speaking: that is told once, and both stay', async () => {
    const { identities, records, comes } = someIdentities()
    const old = await comes({ uuid, client: 1 })
    old.beats()
    const copy = await comes({ uuid, client: 2 })
    copy.beats()
    identities.introduce(copy.peer, { uuid, client: 2 })
    await vi.waitFor(() => expect(records).toHaveLength(1), PATIENCE)
    expect(records[0]).toMatchObject({
      level: 'warn',
      msg: `Two nodes show the identity ${uuid}: ${old.peer.peer}, and ${copy.peer.peer}. Is one's SD card a copy of the other's? Remove the state folder of one, and start it again.`,
    })
    expect([identities.isCopy(old.peer), identities.isCopy(copy.peer)]).toEqual([true, true])
    identities.introduce(copy.peer, { uuid, client: 2 })
    await sleep(2_500) // longer than it takes to tell
    expect(records).toHaveLength(1)
    expect(old.end).not.toHaveBeenCalled()
    expect(copy.end).not.toHaveBeenCalled()
    await copy.slave.close()
    await vi.waitFor(() => expect(identities.isCopy(old.peer)).toBe(false), PATIENCE)
  })

  test('and another number is no copy while only what was on its way comes from the older one', async () => {
    const { identities, records, comes } = someIdentities()
    const old = await comes({ uuid, client: 1 })
    const { peer, beats } = await comes({ uuid, client: 2 })
    beats()
    await old.slave.write('late')
    await vi.waitFor(() => expect(old.end).toHaveBeenCalled(), PATIENCE)
    expect(identities.isCopy(peer)).toBe(false)
    expect(records).toEqual([])
  })

  test('is given one when it asks, and shows it then', async () => {
    const { identities, comes } = someIdentities()
    const { peer, end } = await comes({})
    const given = identities.give(peer)
    expect(identities.identityOf(peer)).toBe(given)
    identities.introduce(peer, { uuid: given, client: 3 })
    expect(identities.identityOf(peer)).toBe(given)
    expect(end).not.toHaveBeenCalled()
  })

  test('but what is no identity changes nothing', async () => {
    const { identities, comes } = someIdentities()
    const old = await comes({ uuid, client: 1 })
    for (const details of [null, {}, { uuid }, { uuid: 'x', client: 1 }, { uuid: [uuid], client: 1 }])
      await comes(details)
    expect(identities.identityOf(old.peer)).toBe(uuid)
    expect(old.end).not.toHaveBeenCalled()
  })
})
