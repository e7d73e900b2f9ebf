import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type ChapterCopy, test as testInCopy } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'
import { cluster, PATIENCE, run } from './cluster.ts'

const test = testInCopy.extend<{ replicated: ChapterCopy }>({
  // In the chapter before each node has a queue of its own.
  replicated: async ({ chapter }, use) => {
    expect(chapter.chapter.commands).toContain('members')
    await use(chapter)
  },
})

test('a picture is finished though who leads is killed while it is drawn, and who handed it in hears of no other leader', async ({
  replicated: chapter,
}) => {
  const { nodes, leader } = await cluster(chapter)
  const args = ['mandelbrot', '--width', '480', '--view', 'seahorses', '--id', 'holiday']
  const submit = await chapter.run('submit', { args })
  await submit.says(/ Handed in as holiday: \d+ tasks$/)
  await nodes.kill(leader.name)
  await submit.ends()
  expect([submit.exitCode, submit.messages.at(-1)]).toEqual([0, expect.stringMatching(/^The picture is /)])
  const next = await nodes.lead({ after: leader.term, workers: 2 })
  expect(next.name).not.toBe(leader.name)
  // Who was away has what it lacks, and follows.
  const back = await nodes.start(leader.name)
  await back.says(/ node-\d leads in term \d+$/)
})

test('what a dead leader has acknowledged another one has done, once, and knows it when it is handed in again', async ({
  replicated: chapter,
}) => {
  const { nodes, names, leader } = await cluster(chapter)
  const webserver = await chapter.run('webserver')
  await leader.process.says(/ webserver has joined/)
  const worker = names.find((name) => name !== leader.name) ?? ''
  const file = join(chapter.folder, 'notes.txt')
  // Long enough to be seen at work where everything takes its time.
  const note = JSON.stringify({ file, line: 'paid', seconds: 10 })
  const args = ['note', note, '--id', 'invoice-7', '--requires', worker]
  const submit = await chapter.run('submit', { args })
  await submit.says(/ Handed in as invoice-7: /)
  await vi.waitFor(async () => expect(await readFile(file, 'utf8')).toBe('paid\n'), PATIENCE)
  // The node may write before it is in the log that it has the task: nobody waits for that. A leader that is killed in between,
  // as it may be where it has to wait for a core, leaves a task of which nobody knows that it has begun, and it is begun again.
  // What is told is in the log.
  const about = `http://127.0.0.1:${chapter.portsOf('webserver')[0]}/api/tasks?group=invoice-7`
  await vi.waitFor(async () => {
    const tasks = [expect.objectContaining({ state: 'running', node: worker })]
    expect(await (await fetch(about)).json()).toEqual({ tasks })
  }, PATIENCE)
  await nodes.kill(leader.name)
  await submit.ends()
  expect([submit.exitCode, submit.messages.at(-1)]).toEqual([0, 'Written: paid'])
  const again = await run(chapter, 'submit', ...args)
  expect([again.exitCode, again.said]).toEqual([0, expect.stringMatching(/Written: paid$/)])
  expect(await readFile(file, 'utf8')).toBe('paid\n')
  await webserver.stop()
})

test('a member comes and one goes while the cluster runs, and who has lost its disk learns before it votes', async ({
  replicated: chapter,
}) => {
  const { nodes, names, leader } = await cluster(chapter)
  const early = await run(chapter, 'members', 'add', 'node-4')
  expect([early.exitCode, early.said]).toEqual([
    1,
    expect.stringContaining('node-4 is not there: start it first'),
  ])
  await nodes.start('node-4')
  await vi.waitFor(async () => {
    const added = await run(chapter, 'members', 'add', 'node-4')
    expect([added.exitCode, added.said]).toEqual([0, expect.stringMatching(/^node-4 (learns|is a member)/m)])
  }, PATIENCE)
  const [gone = '', lost = ''] = names.filter((name) => name !== leader.name)
  await nodes.kill(gone)
  const removed = await run(chapter, 'members', 'remove', gone)
  expect(removed.exitCode).toBe(0)
  expect(removed.said).not.toContain(`${gone} is a member`)
  await nodes.kill(lost)
  await rm(join(chapter.folder, 'state', `log-${lost}`), { recursive: true })
  const back = await nodes.start(lost)
  await back.says(/ Comes to cluster \S+, with an empty store: it learns first, and has no vote$/)
  await vi.waitFor(async () => {
    expect((await run(chapter, 'members')).said).toMatch(new RegExp(`^${lost} is a member`, 'm'))
  }, PATIENCE)
})
