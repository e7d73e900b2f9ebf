import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { aCluster, type ClusterOptions, PATIENCE } from './election-support.ts'

/** A cluster whose members keep a log. */
const cluster = (options: ClusterOptions = {}) =>
  aCluster({ program: 'keeps.ts', electionMs: 1_000, heartbeatMs: 100, ...options })

describe('members that keep a log', () => {
  test('have what their leader was told, also when that is killed, and one that was away', async () => {
    const { elected, ask, members, begin } = await cluster()
    const names = members.map(({ name }) => name)
    const first = await elected()
    for (const text of ['one', 'two'])
      expect(await ask(first.name, 'put', text)).toEqual({ index: expect.any(Number) })
    const others = names.filter((name) => name !== first.name)
    first.kill('SIGKILL')
    const second = await elected(others)
    expect(await ask(second.name, 'texts')).toEqual(['one', 'two'])
    await ask(second.name, 'put', 'three')
    await begin(first.name)
    await elected()
    for (const name of names)
      await vi.waitFor(
        async () => expect(await ask(name, 'texts')).toEqual(['one', 'two', 'three']),
        PATIENCE,
      )
    for (const name of names) expect(await ask(name, 'fresh')).toEqual(['one', 'two', 'three'])
  })
})

describe('a cluster', () => {
  test('begins when all are there who found it, and not before', async () => {
    const { get, begin, elected, ask } = await cluster({ started: ['node-1', 'node-2'] })
    await get('node-1').says(
      /The cluster begins when all of node-1, node-2, node-3 are there: it waits for node-3/,
    )
    expect(get('node-1').reigns).toEqual([])
    await begin('node-3')
    const leader = await elected()
    await ask(leader.name, 'put', 'one')
    await get('node-3').says(/Begins cluster [a-z0-9]{12}: node-1, node-2, node-3/)
  })

  test.each([
    ['', 'Nobody is to begin the cluster: it has no founders.'],
    ['node-1,node-2,node-1', 'The founder node-1 is there twice.'],
    ['node-9', 'The founder node-9 is none of the members, which are node-1, node-2.'],
  ])('is not waited for where these cannot begin it: "%s"', async (founders, problem) => {
    const { get } = await cluster({ size: 2, started: ['node-1'], more: [founders] })
    const { program } = get('node-1')
    await vi.waitFor(() => expect(program.child.exitCode).toBe(1), PATIENCE)
    expect(program.stdout + program.stderr).toContain(problem)
  })

  test('does not hear another one, also where a node has the name of a member', async () => {
    const { elected, ask, begin, state, get, members } = await cluster()
    const names = members.map(({ name }) => name)
    await ask((await elected()).name, 'put', 'one')
    for (const name of names) get(name).kill('SIGKILL')
    for (const name of names)
      await vi.waitFor(() => expect(get(name).program.child.signalCode).not.toBeNull(), PATIENCE)
    rmSync(join(state, 'log-node-3'), { recursive: true })
    await begin('node-3', 'node-3')
    const other = await elected(['node-3'])
    await ask('node-3', 'put', 'another')
    for (const name of ['node-1', 'node-2']) await begin(name)
    await other.says(
      /node-[12] belongs to another cluster than this node, which is of [a-z0-9]{12}, and is not heard/,
    )
    const leader = await elected(['node-1', 'node-2'])
    await ask(leader.name, 'put', 'two')
    for (const name of ['node-1', 'node-2']) expect(await ask(name, 'fresh')).toEqual(['one', 'two'])
    expect(await ask('node-3', 'fresh')).toEqual(['another'])
    expect(other.leads).toBeDefined()
  })

  test('takes a member with an empty store for a new one, which learns before it votes', async () => {
    const { elected, ask, begin, state, get, members } = await cluster()
    const leader = await elected()
    await ask(leader.name, 'put', 'one')
    const [lost = ''] = members.map(({ name }) => name).filter((name) => name !== leader.name)
    const before = (await ask(lost, 'details')) as { id: string }
    get(lost).kill('SIGKILL')
    rmSync(join(state, `log-${lost}`), { recursive: true })
    const back = await begin(lost)
    await back.says(/Comes to cluster [a-z0-9]{12}, with an empty store: it learns first, and has no vote/)
    await leader.says(new RegExp(`${lost} comes with another store than it had`))
    await vi.waitFor(async () => {
      const details = (await ask(lost, 'details')) as { id: string; isVoter: boolean }
      expect(details).toMatchObject({ isVoter: true })
      expect(details.id).not.toBe(before.id)
    }, PATIENCE)
    expect(await ask(lost, 'fresh')).toEqual(['one'])
    for (const name of [leader.name, lost]) expect(get(name).program.stdout).not.toMatch(/no majority of/)
  })

  test('has all its cards replaced, one after the other, and is the same', async () => {
    const { elected, ask, begin, state, get, members } = await cluster()
    const names = members.map(({ name }) => name)
    await ask((await elected()).name, 'put', 'one')
    const { cluster: id } = (await ask('node-1', 'details')) as { cluster: string }
    // The first by name comes last: it would begin another one if nobody of this one knew.
    for (const lost of names.toReversed()) {
      get(lost).kill('SIGKILL')
      rmSync(join(state, `log-${lost}`), { recursive: true })
      await elected(names.filter((name) => name !== lost))
      await begin(lost)
      await vi.waitFor(
        async () => expect(await ask(lost, 'details')).toMatchObject({ cluster: id, isVoter: true }),
        PATIENCE,
      )
    }
    for (const name of names) expect(await ask(name, 'fresh')).toEqual(['one'])
  })

  test('of which two of three have lost their cards says that nothing can be decided, and goes on with one of the old ones', async () => {
    const { elected, ask, begin, state, get, members } = await cluster()
    const names = members.map(({ name }) => name)
    await ask((await elected()).name, 'put', 'one')
    for (const name of names)
      await vi.waitFor(async () => expect(await ask(name, 'texts')).toEqual(['one']), PATIENCE)
    const killed = async (name: string) => {
      get(name).kill('SIGKILL')
      await vi.waitFor(() => expect(get(name).program.child.signalCode).not.toBeNull(), PATIENCE)
    }
    for (const name of names) await killed(name)
    const folderOf = (name: string) => join(state, `log-${name}`)
    for (const name of ['node-2', 'node-3']) renameSync(folderOf(name), `${folderOf(name)}.old`)
    for (const name of names) await begin(name)
    for (const name of names)
      await get(name).says(
        /node-2, node-3 have not the logs that they had\. Without these no majority of node-1, node-2, node-3 is there, so nobody can be elected, and nothing is decided\. Bring one of the old cards back/,
      )
    expect(names.flatMap((name) => get(name).reigns)).toEqual([])
    await killed('node-3')
    rmSync(folderOf('node-3'), { recursive: true })
    renameSync(`${folderOf('node-3')}.old`, folderOf('node-3'))
    await begin('node-3')
    const leader = await elected(['node-1', 'node-3'])
    await ask(leader.name, 'put', 'two')
    await vi.waitFor(
      async () => expect(await ask('node-2', 'details')).toMatchObject({ isVoter: true }),
      PATIENCE,
    )
    expect(await ask('node-2', 'fresh')).toEqual(['one', 'two'])
  })

  test('does not let a member go on with a store that is older than it was', async () => {
    const { elected, ask, begin, state, get, members } = await cluster()
    const leader = await elected()
    await ask(leader.name, 'put', 'one')
    const [lost = ''] = members.map(({ name }) => name).filter((name) => name !== leader.name)
    const folder = join(state, `log-${lost}`)
    const stopped = async () => {
      get(lost).kill('SIGKILL')
      await vi.waitFor(() => expect(get(lost).program.child.signalCode).not.toBeNull(), PATIENCE)
    }
    await stopped()
    cpSync(folder, `${folder}.copy`, { recursive: true })
    await begin(lost)
    await elected()
    await ask(leader.name, 'put', 'two')
    await stopped()
    rmSync(folder, { recursive: true })
    renameSync(`${folder}.copy`, folder)
    const back = await begin(lost)
    await vi.waitFor(() => expect(back.program.child.exitCode).toBe(1), PATIENCE)
    expect(back.program.stderr + back.program.stdout).toMatch(
      new RegExp(
        `The store of ${lost} is older than it was, .* put aside, as .*log-${lost}-older-[0-9a-f]{6}`,
      ),
    )
    expect(back.reigns).toEqual([])
    const again = await begin(lost)
    await again.says(/Comes to cluster/)
    await elected()
    expect(await ask(lost, 'fresh')).toEqual(['one', 'two'])
  })

  test('has what two of three had written last, though that is damaged there after they were stopped, and says so', async () => {
    const { elected, ask, begin, state, get, members } = await cluster()
    const names = members.map(({ name }) => name)
    const leader = await elected()
    for (const text of ['one', 'two']) await ask(leader.name, 'put', text)
    for (const name of names)
      await vi.waitFor(async () => expect(await ask(name, 'texts')).toHaveLength(2), PATIENCE)
    const children = names.map((name) => get(name).program.child)
    for (const child of children) child.kill('SIGTERM')
    for (const child of children) await vi.waitFor(() => expect(child.exitCode).toBe(0), PATIENCE)
    const damaged = names.slice(0, 2)
    for (const name of damaged) {
      const path = join(state, `log-${name}`, '000001.log')
      const bytes = readFileSync(path)
      const last = bytes.findLastIndex((byte) => byte !== 0)
      bytes.writeUInt8(bytes.readUInt8(last - 5) ^ 1, last - 5)
      writeFileSync(path, bytes)
    }
    for (const name of damaged) {
      await begin(name)
      await get(name).says(
        /000001\.log is not whole from byte \d+ on, where record \d+ should be\. .* mark beside it/,
      )
    }
    // Without the third, whose log is whole.
    await elected(damaged)
    for (const name of damaged) expect(await ask(name, 'fresh')).toEqual(['one', 'two'])
  })

  test('goes on after all were killed and one stays away: the others say whom they wait for, and wait no longer', async () => {
    const { elected, ask, begin, get, members } = await cluster()
    const [away = '', ...others] = members.map(({ name }) => name)
    await ask((await elected()).name, 'put', 'one')
    const ends = members.map(({ name }) => get(name).program.child)
    for (const { name } of members) get(name).kill('SIGKILL')
    for (const child of ends) await vi.waitFor(() => expect(child.signalCode).not.toBeNull(), PATIENCE)
    for (const name of others) await begin(name)
    for (const name of others)
      await get(name).says(new RegExp(`Waits for .*${away}.* before it votes, for ten time-outs at most`))
    const leader = await elected(others)
    await ask(leader.name, 'put', 'two')
    for (const name of others) expect(await ask(name, 'fresh')).toEqual(['one', 'two'])
  })

  test('gets and loses members while it runs, one at a time', async () => {
    const options = { size: 4, more: ['node-1,node-2,node-3'] }
    const { elected, ask, get, begin } = await cluster(options)
    const leader = await elected(['node-1', 'node-2', 'node-3'])
    await ask(leader.name, 'put', 'one')
    // One is away: with the new one's voice there are three of four, and nobody has to be elected anew.
    const [away = ''] = ['node-1', 'node-2', 'node-3'].filter((name) => name !== leader.name)
    get(away).kill('SIGKILL')
    await leader.says(new RegExp(`Is the member ${away} running`)) // for longer than a time-out
    expect(await ask(leader.name, 'log_members', { add: 'node-9' })).toMatchObject({
      done: false,
      why: 'node-9 is not there: start it first, then add it',
    })
    expect(await ask(leader.name, 'log_members', { remove: leader.name })).toMatchObject({
      done: false,
      why: 'it leads: have another one lead first',
    })
    await vi.waitFor(
      async () =>
        expect(await ask(leader.name, 'log_members', { add: 'node-4' })).toMatchObject({ done: true }),
      PATIENCE,
    )
    await vi.waitFor(
      async () => expect(await ask('node-4', 'details')).toMatchObject({ isVoter: true }),
      PATIENCE,
    )
    expect([leader.leads, ...leader.reigns]).toEqual([leader.reigns[0], leader.reigns[0]])
    await begin(away)
    const [, gone = ''] = ['node-1', 'node-2', 'node-3'].filter((name) => name !== leader.name)
    // That the new one has a vote may not be committed yet.
    const removed = await vi.waitFor(async () => {
      const answer = (await ask(leader.name, 'log_members', { remove: gone })) as {
        members: { name: string }[]
      }
      expect(answer).toMatchObject({ done: true })
      return answer
    }, PATIENCE)
    expect(removed.members.map(({ name }) => name)).not.toContain(gone)
    await get(gone).says(
      /does not let this node in: node-\d is no member of this cluster, and nobody has added it/,
    )
    await get(gone).says(/Reaches .*: 3 of 3, a majority, and has no vote itself/)
    await ask(leader.name, 'put', 'two')
    expect(await ask('node-4', 'fresh')).toEqual(['one', 'two'])
  })

  test('sends a snapshot to who lacks what is in the log no more, also one that is larger than a frame', async () => {
    // Ten megabytes are to be written: a busy machine may take longer for some than others wait for a leader.
    const { elected, ask, begin, members, get } = await cluster({ electionMs: 3_000 })
    const leader = await elected()
    const [away = ''] = members.map(({ name }) => name).filter((name) => name !== leader.name)
    get(away).kill('SIGKILL')
    await ask(leader.name, 'fill', { count: 60, text: 'ä"'.repeat(3_000) })
    await begin(away)
    await vi.waitFor(async () => expect(await ask(away, 'count')).toBe(60), PATIENCE)
    await get(away).says(/Has caught up with a snapshot of \d+ entries/)
  })
})
