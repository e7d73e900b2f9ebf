import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ChapterCopy, test as testInCopy } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'
import { cluster, PATIENCE, run } from './cluster.ts'

const test = testInCopy.extend<{ elected: ChapterCopy }>({
  // In the chapter before nobody is elected.
  elected: async ({ chapter }, use) => {
    expect(chapter.chapter.commands).toContain('leader')
    await use(chapter)
  },
})

test('one of three leads, and when it is killed another one does, in a later term, and all tasks go there', async ({
  elected: chapter,
}) => {
  const { nodes, leader } = await cluster(chapter, 3)
  await nodes.kill(leader.name)
  const next = await nodes.lead({ after: leader.term, workers: 2 })
  expect(next.name).not.toBe(leader.name)
  const picture = await run(chapter, 'submit', 'mandelbrot', '--width', '240')
  expect([picture.exitCode, picture.said]).toEqual([0, expect.stringMatching(/^The picture is .*\.png$/m)])
  // It is back, and follows.
  const back = await nodes.start(leader.name)
  await back.says(/ node-\d leads in term \d+$/)
})

test('a leader that was frozen knows at once that it leads no more, and changes nothing', async ({
  elected: chapter,
}) => {
  const { nodes, leader } = await cluster(chapter, 3)
  const file = join(chapter.folder, 'notes.txt')
  const handIn = (line: string) => run(chapter, 'submit', 'note', JSON.stringify({ file, line }))
  expect((await handIn('before')).exitCode).toBe(0)
  leader.process.signal('SIGSTOP')
  const next = await nodes.lead({ after: leader.term, workers: 2 })
  expect(next.name).not.toBe(leader.name)
  expect((await handIn('meanwhile')).exitCode).toBe(0)
  const before = leader.process.messages.length
  leader.process.signal('SIGCONT')
  await leader.process.says(/ node-\d leads in term \d+$/)
  // Who is here may be told by a timer that was due while it stood still.
  const woken = leader.process.messages.slice(before).filter((line) => !/^(Here now: |- )/.test(line))
  expect(woken[0]).toMatch(/^Leads no more, in term \d+: this process stood still for /)
  await nodes.lead({ after: leader.term, workers: 3 })
  expect((await handIn('after')).exitCode).toBe(0)
  expect(await readFile(file, 'utf8')).toBe('before\nmeanwhile\nafter\n')
})

test('what a dead leader has acknowledged waits with it, and is done once, when it leads again', async ({
  elected: chapter,
}) => {
  const { nodes, names, leader } = await cluster(chapter, 3)
  const webserver = await chapter.run('webserver')
  await leader.process.says(/ webserver has joined/)
  const worker = names.find((name) => name !== leader.name) ?? ''
  const file = join(chapter.folder, 'notes.txt')
  // Long enough to be seen at work where everything takes its time.
  const note = JSON.stringify({ file, line: 'paid', seconds: 10 })
  const submit = await chapter.run('submit', {
    args: ['note', note, '--id', 'invoice-7', '--requires', worker],
  })
  await submit.says(/ Handed in as invoice-7: /)
  // The node may write before it is on the leader's disk that it has the task: nobody waits for that. A leader that is killed in
  // between, as it may be where it has to wait for a core, knows of no node that has begun, and it is begun again. What is told
  // is on the disk.
  const site = `http://127.0.0.1:${chapter.portsOf('webserver')[0]}/`
  await vi.waitFor(async () => {
    const tasks = [expect.objectContaining({ state: 'running', node: worker })]
    expect(await (await fetch(`${site}api/tasks?group=invoice-7`)).json()).toEqual({ tasks })
  }, PATIENCE)
  await nodes.kill(leader.name)
  await submit.says(new RegExp(` node-\\d leads now\\. ${leader.name} has what was handed in`))
  await nodes.start(leader.name)
  const waits = new RegExp(`id="member-${leader.name}"(?:(?!</tr>).)*>1</span>, until it leads`, 's')
  await vi.waitFor(async () => expect(await (await fetch(site)).text()).toMatch(waits), PATIENCE)
  const handed = await run(chapter, 'leader', leader.name)
  expect([handed.exitCode, handed.said]).toEqual([0, expect.stringContaining(`${leader.name} leads`)])
  await submit.ends()
  expect([submit.exitCode, submit.messages.at(-1)]).toEqual([0, 'Written: paid'])
  expect(await readFile(file, 'utf8')).toBe('paid\n')
  await webserver.stop()
})

test('without a majority nobody leads, and who asks is told how each member is', async ({
  elected: chapter,
}) => {
  const { nodes, names, leader } = await cluster(chapter, 3)
  const others = names.filter((name) => name !== leader.name)
  for (const other of others) await nodes.kill(other)
  await leader.process.says(/ Leads no more, in term \d+: no majority has answered for /)
  const asked = await run(chapter, 'leader')
  expect([asked.exitCode, asked.said]).toEqual([
    1,
    expect.stringMatching(
      new RegExp(`Nobody leads\\. .*${leader.name} is (follower|pre-candidate) in term `),
    ),
  ])
  const [back = ''] = others
  await nodes.start(back)
  await nodes.lead({ after: leader.term })
})

test('a leader that is stopped hands over before it goes, and nobody waits for a time-out', async ({
  elected: chapter,
}) => {
  const { nodes, names, leader } = await cluster(chapter, 3)
  await leader.process.stop()
  expect(leader.process.exitCode).toBe(0)
  expect(leader.process.messages).toContainEqual(
    expect.stringMatching(/^Handed over within \d+ ms: node-\d leads$/),
  )
  const others = names.filter((name) => name !== leader.name)
  const said = others.flatMap((other) => nodes.of(other).messages)
  expect(said).toContainEqual(
    expect.stringMatching(/^Stands for election in term \d+, as the leader wants it/),
  )
})
