import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { ElectionWatch, openElection } from '../src/election.ts'
import { openKey } from '../src/key-files.ts'
import { addKey } from '../src/keys.ts'
import type { RaftMessage } from '../src/raft.ts'
import { aCluster, type ClusterOptions, PATIENCE } from './election-support.ts'
import { jsonLines, recordingLog, stopAfterTest, tempFolder } from './support.ts'

/** Times after which nobody is elected in a test that does not wait for it: what happens was brought about otherwise. */
const PATIENT = { electionMs: 20_000, heartbeatMs: 50 }

/** The times of the library, for who has to keep the lead on a machine that is very busy. */
const DEFAULTS = { electionMs: 1_000, heartbeatMs: 100 }

function vote(from: string, to: string, term: number): RaftMessage {
  return { from, to, term, type: 'vote', lastEntry: { term: 0, index: 0 }, handedOver: true }
}

/** A cluster of three of which only the second runs. */
const alone = (options: ClusterOptions = {}) => aCluster({ started: ['node-2'], ...PATIENT, ...options })

describe('members of an election', () => {
  test('elect one of them, and another one when that is killed, which follows when it is back', async () => {
    const { elected, all, begin, members } = await aCluster({ electionMs: 500 })
    const first = await elected()
    expect(all.filter(({ leads }) => leads !== undefined)).toEqual([first])
    expect(await first.knows()).toMatchObject({ role: 'leader', leader: first.name, isHeld: true })
    first.kill('SIGKILL')
    const others = members.map(({ name }) => name).filter((name) => name !== first.name)
    const second = await elected(others)
    expect(second.leads).toBeGreaterThan(first.leads as number)
    const back = await begin(first.name)
    expect(await elected()).toBe(second)
    expect(back.reigns).toEqual([])
    expect(second.program.stdout).toMatch(
      new RegExp(`Leads in term ${second.leads}, by the votes of ${second.name}, node-\\d`),
    )
  })

  test('find out at once that they lead no more when they stood still', async () => {
    const { elected, members } = await aCluster({ electionMs: 500 })
    const first = await elected()
    const term = first.leads as number
    first.kill('SIGSTOP')
    const others = members.map(({ name }) => name).filter((name) => name !== first.name)
    const second = await elected(others)
    // It is asked before it goes on, so this is the first that it does.
    const knows = first.knows()
    first.kill('SIGCONT')
    expect(await knows).toMatchObject({ role: 'follower', leader: null, isHeld: false })
    await first.says(new RegExp(`^over ${term}$`, 'm'))
    await first.says(/Leads no more, in term \d+: this process stood still for/)
    expect(await elected()).toBe(second)
  })

  test('that are cut off lead no more, and do not disturb the others when they are back', async () => {
    const { elected, members, cut, folder } = await aCluster({ size: 5, wired: true, ...DEFAULTS })
    const first = await elected()
    const term = first.leads as number
    const names = members.map(({ name }) => name)
    const [friend = ''] = names.filter((name) => name !== first.name)
    cut([first.name, friend])
    const others = names.filter((name) => name !== first.name && name !== friend)
    const second = await elected(others)
    await first.says(/Leads no more, in term \d+: no majority has answered for 1000 ms/)
    expect(await first.knows()).toMatchObject({ leader: null, term, isHeld: false })
    await vi.waitFor(() => {
      const log = jsonLines(join(folder, `${first.name}.log`)).map(({ msg }) => msg)
      expect(log).toContainEqual(expect.stringMatching(/^Nothing came from the member node-\d .* for 2 s/))
    }, PATIENCE)
    cut([first.name, friend], false)
    expect(await elected()).toBe(second)
    expect(second.reigns).toHaveLength(1)
  })

  test('hand over before they stop, and nobody waits for a time-out', async () => {
    const { elected, members, get } = await aCluster({ electionMs: 500 })
    const first = await elected()
    first.kill('SIGTERM')
    expect(await first.program.ended).toBe(0)
    expect(first.program.stdout).toMatch(/Handed over within \d+ ms: node-\d leads/)
    const others = members.map(({ name }) => name).filter((name) => name !== first.name)
    const second = await elected(others)
    expect(second.program.stdout).toMatch(/Stands for election in term \d+, as the leader wants it/)
    for (const name of others) expect(get(name).program.stdout).not.toMatch(/Hears nothing from/)
  })

  test('hand over when they cannot do what a leader is for', async () => {
    const { begin, elected, members, proofOf } = await aCluster({ started: [], electionMs: 500 })
    const unable = await begin('node-1', 'unable')
    const able = await begin('node-2')
    const { signal: stop } = stopAfterTest()
    const { log } = recordingLog()
    const watch = new ElectionWatch({ members, secure: await proofOf('boss'), log, stop })
    await vi.waitFor(async () => {
      if ((await watch.whenLed()).name === able.name) await watch.handOver(unable.name)
      expect(unable.reigns).not.toEqual([])
    }, PATIENCE)
    await unable.says(/ERROR .*There is no camera here\./)
    await unable.says(/Cannot do what a leader is for: has handed over/)
    expect(await elected([unable.name, able.name])).toBe(able)
  })

  test('end their program when they cannot, and there is nobody to hand over to', async () => {
    const { begin } = await aCluster({ size: 1, started: [] })
    const unable = await begin('node-1', 'unable')
    expect(await unable.program.ended).toBe(1)
    expect(unable.program.stdout).toMatch(/FATAL .*There is no camera here\./)
  })
})

describe('a vote', () => {
  test('is on the disk before it is given, and holds after a kill', async () => {
    const { comeAs, get, begin, voteOf } = await alone()
    const first = await comeAs('node-1', 'node-2')
    expect(await first.ask(vote('node-1', 'node-2', 7), 'vote_answer')).toMatchObject({
      granted: true,
      term: 7,
    })
    get('node-2').kill('SIGKILL')
    expect(JSON.parse(readFileSync(voteOf('node-2'), 'utf8'))).toMatchObject({ term: 7, voted_for: 'node-1' })
    await get('node-2').program.ended
    await begin('node-2')
    const other = await comeAs('node-3', 'node-2')
    expect(await other.ask(vote('node-3', 'node-2', 7), 'vote_answer')).toMatchObject({
      granted: false,
      term: 7,
    })
    const again = await comeAs('node-1', 'node-2')
    expect(await again.ask(vote('node-1', 'node-2', 7), 'vote_answer')).toMatchObject({ granted: true })
  })

  test('that the disk does not take is not given, until it does', async () => {
    const { comeAs, get, voteOf } = await alone()
    const candidate = await comeAs('node-1', 'node-2')
    mkdirSync(`${voteOf('node-2')}.new`)
    candidate.say(vote('node-1', 'node-2', 1))
    await get('node-2').says(/ERROR .*Cannot write the vote \(EISDIR.*\): does not vote, and cannot lead/)
    expect(candidate.heard).toEqual([])
    expect(await get('node-2').knows()).toMatchObject({ term: 0 })
    rmSync(`${voteOf('node-2')}.new`, { recursive: true })
    expect(await candidate.ask(vote('node-1', 'node-2', 1), 'vote_answer')).toMatchObject({ granted: true })
    await get('node-2').says(/The disk takes the vote again/)
  })

  test('that is damaged, of another member, or of another process ends the program, with what to do', async () => {
    const { begin, get, voteOf } = await alone()
    await get('node-2').says(/Votes as node-2/)
    const second = await begin('node-2')
    expect(await second.program.ended).toBe(1)
    expect(second.program.stdout).toMatch(/FATAL .*Another process votes as node-2: it has .*node-2\.json/)
    const vote = readFileSync(voteOf('node-2'), 'utf8')
    for (const damage of ['', vote.slice(0, 30), vote.replace('"term":0', '"term":1'), 'x'.repeat(10_000)]) {
      writeFileSync(voteOf('node-1'), damage.replace('node-2', 'node-1'))
      const first = await begin('node-1')
      expect(await first.program.ended).toBe(1)
      expect(first.program.stdout).toMatch(/FATAL .*The vote of node-1 is damaged: .*remove the file/s)
    }
    writeFileSync(voteOf('node-1'), vote)
    const first = await begin('node-1')
    expect(await first.program.ended).toBe(1)
    expect(first.program.stdout).toMatch(/has the votes of node-2 in it, and this member is node-1/)
  })
})

describe('what a member does not take', () => {
  test('is a word in the name of another, or of one who is none: told once, and of no effect', async () => {
    const { comeAs, get } = await alone()
    const [boss, first] = [await comeAs('boss', 'node-2'), await comeAs('node-1', 'node-2')]
    for (let count = 0; count < 3; count += 1) {
      boss.say(vote('boss', 'node-2', 9))
      boss.say(vote('node-1', 'node-2', 9))
      first.say(vote('node-3', 'node-2', 9))
      first.say(vote('node-1', 'node-3', 9))
    }
    await get('node-2').says(/boss says .* in the name of node-1/)
    await get('node-2').says(/What node-1 says is for node-3/)
    const told = get('node-2').lines.filter((line) => line.includes('WARN'))
    expect(told.map((line) => line.replace(/^.*\(node-2\): |: \{.*$/g, '')).sort()).toEqual(
      [
        'boss says something about the election in the name of boss, which is refused',
        'boss says something about the election in the name of node-1, which is refused',
        'node-1 says something about the election in the name of node-3, which is refused',
        'What node-1 says is for node-3: has it another address for that?',
      ].sort(),
    )
    expect(boss.heard).toEqual([])
    expect(await get('node-2').knows()).toMatchObject({ term: 0 })
    expect(await first.ask(vote('node-1', 'node-2', 1), 'vote_answer')).toMatchObject({ granted: true })
  })

  test('is what is no message: told once, and the connection lives', async () => {
    const { comeAs, get } = await alone()
    const first = await comeAs('node-1', 'node-2')
    const right = vote('node-1', 'node-2', 1)
    for (const wrong of [
      null,
      'vote',
      [],
      {},
      { ...right, type: 'coup' },
      { ...right, term: -1 },
      { ...right, term: 1.5 },
      { ...right, term: 2 ** 60 },
      { ...right, term: '1' },
      { ...right, from: 'x'.repeat(101) },
      { ...right, lastEntry: null },
      { ...right, handedOver: 1 },
      JSON.parse('{"__proto__":{"type":"vote"},"from":"node-1"}'),
    ])
      first.say(wrong)
    expect(await first.ask(right, 'vote_answer')).toMatchObject({ granted: true, term: 1 })
    const told = get('node-2').lines.filter((line) => line.includes('WARN'))
    expect(told).toEqual([expect.stringMatching(/What node-1 says of the election is not understood: null$/)])
  })
})

test('what cannot be right is told, all of it, before anything is written', async () => {
  const folder = tempFolder()
  const { signal: stop } = stopAfterTest()
  const { log } = recordingLog()
  await addKey({ folder, node: 'node-2' })
  const key = await openKey({ file: join(folder, 'node-2.key'), log, stop })
  const member = (name: string, index = 0) => ({ name, host: '127.0.0.1', port: 12_351 + (index % 2) })
  const file = join(folder, 'vote.json')
  const options = { key, file, log, stop }
  const members = ['node-2', 'node-3', 'node-3'].map(member)
  const times = { electionMs: 100, heartbeatMs: 50 }
  await expect(openElection({ name: 'node-1', members, ...times, ...options })).rejects.toMatchObject({
    problems: [
      'node-1 is not among the members: node-2, node-3, node-3.',
      'The member node-3 is there twice.',
      'node-2 and node-3 are both at 127.0.0.1:12351. Each is at a place of its own.',
      expect.stringMatching(/^The key is that of node-2, and this member is node-1\./),
      expect.stringMatching(/^A time-out of 100 ms leaves no room for two heartbeats, one each 50 ms/),
    ],
  })
  expect(existsSync(file)).toBe(false)
  writeFileSync(join(folder, 'file'), '')
  await expect(
    openElection({
      name: 'node-2',
      members: [member('node-2')],
      ...options,
      file: join(folder, 'file', 'vote'),
    }),
  ).rejects.toThrow(/Cannot keep the vote in .*A member that cannot keep its vote must not vote\./)
})

describe('a watch', () => {
  test('knows who leads, follows the leader, and has it hand over', async () => {
    const { elected, members, proofOf, get } = await aCluster({ electionMs: 500 })
    const { signal: stop } = stopAfterTest()
    const { log } = recordingLog()
    const watch = new ElectionWatch({ members, secure: await proofOf('boss'), log, stop })
    const first = await elected()
    expect(await watch.whenLed()).toMatchObject({ name: first.name, term: first.leads })
    const followed: string[] = []
    void watch.follow(async ({ name, term }, over) => {
      followed.push(`${name} ${term}`)
      await new Promise((resolve) => over.addEventListener('abort', resolve))
    })
    await vi.waitFor(
      () => expect([...watch.views.values()].filter(({ isReachable }) => isReachable)).toHaveLength(3),
      PATIENCE,
    )
    expect(watch.views.get(first.name)?.view).toMatchObject({
      role: 'leader',
      members: ['node-1', 'node-2', 'node-3'],
    })
    const heir = members.map(({ name }) => name).find((name) => name !== first.name) as string
    expect(await watch.handOver(heir)).toBe(true)
    expect(await elected()).toBe(get(heir))
    await vi.waitFor(
      () => expect(followed).toEqual([`${first.name} ${first.reigns[0]}`, `${heir} ${get(heir).leads}`]),
      PATIENCE,
    )
    await expect(watch.handOver('node-9')).rejects.toThrow(/node-9 is no other member/)
    // One that stands still is not elected, though another one is.
    const frozen = members
      .map(({ name }) => name)
      .find((name) => ![first.name, heir].includes(name)) as string
    get(frozen).kill('SIGSTOP')
    expect(await watch.handOver(frozen)).toBe(false)
    get(frozen).kill('SIGCONT')
    get(heir).kill('SIGKILL')
    await vi.waitFor(() => expect(watch.views.get(heir)?.isReachable).toBe(false), PATIENCE)
  })

  test('says how each member is when nobody leads, and who may not have it hand over is refused', async () => {
    const { members, proofOf, get } = await alone()
    const { signal: stop } = stopAfterTest()
    const { log } = recordingLog()
    await get('node-2').says(/Votes as/)
    const watch = new ElectionWatch({ members, secure: await proofOf('guest'), log, stop })
    await vi.waitFor(() => expect(watch.views.get('node-2')?.isReachable).toBe(true), PATIENCE)
    await expect(watch.whenLed({ withinMs: 1 })).rejects.toThrow(
      'Nobody leads. node-1 is not reached. node-2 is follower in term 0. node-3 is not reached.',
    )
  })

  test('is refused when it wants a hand-over and may not', async () => {
    const { elected, members, proofOf } = await aCluster({ size: 1 })
    const { signal: stop } = stopAfterTest()
    const { log } = recordingLog()
    const leader = await elected()
    expect(leader.name).toBe('node-1')
    const watch = new ElectionWatch({ members, secure: await proofOf('guest'), log, stop })
    await expect(watch.handOver()).rejects.toThrow(/refused/)
  })
})
