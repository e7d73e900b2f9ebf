import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ChapterCopy, COLLECTS_GARBAGE, test } from '@rpi-cluster/tutorial/harness'
import { decode } from 'fast-png'
import { expect, vi } from 'vitest'

const PATIENCE = { timeout: 60_000, interval: 50 }

/** Starts a primary and so many secondaries, and waits until they can be given work. */
async function cluster(chapter: ChapterCopy, count: number) {
  expect(chapter.chapter.commands).toContain('submit')
  const primary = await chapter.run('primary')
  const secondaries = await Promise.all(Array.from({ length: count }, () => chapter.run('secondary')))
  await primary.says(/ secondary-\d does tasks: mandelbrot, note, trouble; /, count)
  return { primary, secondaries }
}

/** Runs a command to its end. */
async function run(chapter: ChapterCopy, name: string, ...args: string[]) {
  const program = await chapter.run(name, { args })
  await program.ends()
  return program
}

/** The pixels of a picture that belong to the set: black, whoever drew them. */
async function setOf(file: string): Promise<string> {
  const { data, palette = [] } = decode(await readFile(file))
  return Array.from(data, (index) => ((palette[index]?.[0] ?? 255) < 11 ? '#' : ' ')).join('')
}

test('a picture is whole, and right, though a node dies with tiles of it', async ({ chapter }) => {
  const { primary, secondaries } = await cluster(chapter, 2)
  const draw = async (meanwhile: () => void) => {
    const submit = await chapter.run('submit', {
      args: ['mandelbrot', '--width', '480', '--view', 'elephants'],
    })
    await submit.says(/ Handed in as mandelbrot-\w+: 20 tasks$/)
    meanwhile()
    await submit.ends()
    const [, file = ''] = /^The picture is (.*)$/m.exec(submit.messages.join('\n')) ?? []
    expect([submit.exitCode, file]).toEqual([0, expect.stringMatching(/\.png$/)])
    return await setOf(file)
  }
  const undisturbed = await draw(() => {})
  expect(undisturbed).toMatch(/#/)
  expect(await draw(() => secondaries[0]?.signal('SIGKILL'))).toBe(undisturbed)
  await primary.says(/ secondary-\d is gone with /)
})

test('a task that throws, hangs, takes all memory or ends its process costs itself alone', async ({
  chapter,
}) => {
  const file = join(chapter.folder, 'rpicluster.json')
  expect(chapter.chapter.commands).toContain('queue')
  await writeFile(file, (await readFile(file, 'utf8')).replace('"attempts": 3', '"attempts": 1'))
  const { primary, secondaries } = await cluster(chapter, 1)
  const kinds = ['throw', 'exit', 'abort', 'loop', 'allocate']
  const tried = await Promise.all(kinds.map((kind) => run(chapter, 'submit', 'trouble', kind)))
  expect(tried.map(({ exitCode }) => exitCode)).toEqual(kinds.map(() => 1))
  const reasons = [/This task throws/, /exit/, /SIGABRT|abort/, /second|limit| s\b/, /memory|MB|MiB/]
  for (const [index, { messages }] of tried.entries())
    expect(messages.join('\n')).toMatch(new RegExp(`trouble has failed: .*(${reasons[index]?.source})`))
  const failed = await run(chapter, 'queue', 'failed')
  expect(failed.messages.filter((line) => / is failed on secondary-1, /.test(line))).toHaveLength(
    kinds.length,
  )
  // The node goes on, and the connection that it had is the one that it has.
  const good = await run(chapter, 'submit', 'trouble', 'none')
  expect(good.messages).toContainEqual(expect.stringMatching(/^There is no trouble "none"/))
  for (const { messages } of [primary, ...secondaries])
    expect(messages.join('\n')).not.toMatch(/Lost the connection/)
})

test('at least once: what was done before its node died is done again', async ({ chapter }) => {
  const { primary, secondaries } = await cluster(chapter, 1)
  const file = join(chapter.folder, 'notes.txt')
  const note = JSON.stringify({ file, line: 'paid', seconds: 30 })
  const submit = await chapter.run('submit', { args: ['note', note] })
  const lines = async () => (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean)
  await vi.waitFor(async () => expect(await lines()).toEqual(['paid']), PATIENCE)
  await chapter.run('secondary')
  await primary.says(/ secondary-2 does tasks: /)
  secondaries[0]?.signal('SIGKILL')
  await submit.ends()
  expect([submit.exitCode, await lines()]).toEqual([0, ['paid', 'paid']])
})

test('who stops finishes what it has begun, and gives the rest back; nothing counts as lost', async ({
  chapter,
}) => {
  const { primary, secondaries } = await cluster(chapter, 1)
  const submit = await chapter.run('submit', { args: ['mandelbrot', '--width', '800'] })
  await submit.says(/ Handed in as /)
  const heir = await chapter.run('secondary')
  await primary.says(/ secondary-2 does tasks: /)
  await secondaries[0]?.stop()
  await submit.ends()
  expect([submit.exitCode, secondaries[0]?.exitCode]).toEqual([0, 0])
  expect(primary.messages.join('\n')).not.toMatch(/ is gone with /)
  await heir.stop()
})

test('who may not hand in work is refused, and told why; so is a task that nobody knows', async ({
  chapter,
}) => {
  const { primary } = await cluster(chapter, 1)
  const unknown = await run(chapter, 'submit', 'mandlebrot-set')
  expect([unknown.exitCode, unknown.messages.join('\n')]).toEqual([
    1,
    expect.stringMatching(/mandelbrot, note, trouble/),
  ])
  const file = join(chapter.folder, 'rpicluster.json')
  const text = await readFile(file, 'utf8')
  await writeFile(
    file,
    text.replace('"submitters": ["submitter", "webserver"]', '"submitters": ["webserver"]'),
  )
  expect((await run(chapter, 'status', 'primary', '--reload')).exitCode).toBe(0)
  const refused = await run(chapter, 'submit', 'trouble', 'none')
  expect([refused.exitCode, refused.messages.join('\n')]).toEqual([
    1,
    expect.stringMatching(/submitter is not among those who may hand in tasks/),
  ])
  expect(primary.messages.join('\n')).toMatch(/submitter/)
})

test('a picture is handed in by HTTP, with the token alone, and is on the page when it is drawn; without a primary that is refused', async ({
  chapter,
}) => {
  const { primary } = await cluster(chapter, 1)
  const webserver = await chapter.run('webserver', { preload: COLLECTS_GARBAGE })
  await webserver.says(/ To change something on the page, open /) // the link comes before
  const [, link = ''] = webserver.lines.join('\n').match(/(http:\S+\?token=\S+)/) ?? []
  const { origin, searchParams } = new URL(link)
  await webserver.says(/ Connected to /)
  const order = (authorization: string) =>
    fetch(`${origin}/api/pictures`, {
      method: 'POST',
      body: JSON.stringify({ width: 200 }),
      headers: { authorization, 'content-type': 'application/json' },
    })
  expect((await order('Bearer something-else')).status).toBe(401)
  const answer = await order(`Bearer ${searchParams.get('token')}`)
  expect(answer.status).toBe(202)
  const { group, tiles } = (await answer.json()) as { group: string; tiles: number }
  expect(tiles).toBe(4)
  await vi.waitFor(async () => {
    const { tasks } = (await (await fetch(`${origin}/api/tasks?group=${group}`)).json()) as {
      tasks: { state: string }[]
    }
    expect(tasks.map(({ state }) => state)).toEqual(Array.from({ length: tiles }, () => 'done'))
    const png = decode(new Uint8Array(await (await fetch(`${origin}/pictures/${group}.png`)).arrayBuffer()))
    expect([png.width, png.height]).toEqual([200, 150])
    expect(await (await fetch(origin)).text()).toMatch(/secondary-1/)
  }, PATIENCE)
  await primary.kill()
  const late = await order(`Bearer ${searchParams.get('token')}`)
  expect([late.status, await late.json()]).toEqual([
    503,
    { error: 'The primary does not answer. Try again when it is here.' },
  ])
  // Who waits for a primary does not keep the web server.
  const waiting = order(`Bearer ${searchParams.get('token')}`).catch(() => {})
  await fetch(origin) // by then it has heard that
  await webserver.stop()
  expect(webserver.exitCode).toBe(0)
  await waiting
})
