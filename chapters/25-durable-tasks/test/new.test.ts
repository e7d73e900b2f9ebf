import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ChapterCopy, test } from '@rpi-cluster/tutorial/harness'
import { decode } from 'fast-png'
import { expect, vi } from 'vitest'

const PATIENCE = { timeout: 60_000, interval: 50 }

/** Starts a primary and so many secondaries, and waits until they can be given work. */
async function cluster(chapter: ChapterCopy, count: number) {
  const primary = await chapter.run('primary')
  await Promise.all(Array.from({ length: count }, () => chapter.run('secondary')))
  await primary.says(/ secondary-\d does tasks: /, count)
  return primary
}

/** Runs a command to its end. */
async function run(chapter: ChapterCopy, name: string, ...args: string[]) {
  const program = await chapter.run(name, { args })
  await program.ends()
  return { exitCode: program.exitCode, said: program.messages.join('\n') }
}

test('a picture is whole, and in the hands of who handed it in, though the primary was killed meanwhile', async ({
  chapter,
}) => {
  const primary = await cluster(chapter, 2)
  const submit = await chapter.run('submit', {
    args: ['mandelbrot', '--width', '480', '--view', 'elephants'],
  })
  await submit.says(/ Handed in as mandelbrot-\w+: 20 tasks$/)
  primary.signal('SIGKILL')
  await primary.ends()
  await chapter.run('primary')
  await submit.ends()
  const [, file = ''] = /^The picture is (.*)$/m.exec(submit.messages.join('\n')) ?? []
  expect([submit.exitCode, file]).toEqual([0, expect.stringMatching(/\.png$/)])
  const { data } = decode(await readFile(file))
  // Whatever nobody has drawn would be transparent: the first of the colours.
  expect(data).not.toContain(0)
})

test('what is handed in twice by an id of its own is done once, though the primary was killed between', async ({
  chapter,
}) => {
  const primary = await cluster(chapter, 1)
  const file = join(chapter.folder, 'notes.txt')
  const pay = ['submit', 'note', JSON.stringify({ file, line: 'paid' }), '--id', 'invoice-7'] as const
  const first = await run(chapter, ...pay)
  primary.signal('SIGKILL')
  await primary.ends()
  await chapter.run('primary')
  const second = await run(chapter, ...pay)
  for (const { exitCode, said } of [first, second])
    expect([exitCode, said]).toEqual([0, expect.stringMatching(/^Written: paid$/m)])
  expect(await readFile(file, 'utf8')).toBe('paid\n')
})

test('a second primary on the same tasks refuses to start, and says why', async ({ chapter }) => {
  const text = await readFile(join(chapter.folder, 'rpicluster.json'), 'utf8')
  // Without a store it would not end.
  expect(text).toMatch(/"history_days"/)
  const primary = await chapter.run('primary')
  await primary.says(/ Listening on /)
  const [own, free] = [...chapter.portsOf('primary'), ...chapter.portsOf('webserver')].map(String)
  await writeFile(join(chapter.folder, 'other.json'), text.replaceAll(own ?? '', free ?? ''))
  const other = await run(chapter, 'primary', '--config', 'other.json')
  expect([other.exitCode, other.said]).toEqual([
    1,
    expect.stringMatching(/state\/tasks is used by another program/),
  ])
  // The system takes the store back from who is killed.
  primary.signal('SIGKILL')
  await primary.ends()
  await (await chapter.run('primary')).says(/ Listening on /)
})

test('what has ended is on a page and in the API, by name and by how it ended, a page at a time', async ({
  chapter,
}) => {
  const primary = await cluster(chapter, 1)
  const webserver = await chapter.run('webserver')
  await webserver.says(/ Connected to /)
  const site = `http://127.0.0.1:${chapter.portsOf('webserver')[0]}`
  const ask = async (path: string) => {
    const response = await fetch(new URL(path, site))
    const text = await response.text()
    return { status: response.status, text, json: path.startsWith('/api/') ? JSON.parse(text) : undefined }
  }
  expect((await ask('/history')).status).toBe(200)
  await run(chapter, 'submit', 'trouble', 'none')
  const [, token] = /\?token=(\S+)/.exec(webserver.messages.join('\n')) ?? []
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ width: 144, tile: 16 })
  const drawn = await fetch(new URL('/api/pictures', site), { method: 'POST', headers, body })
  expect(await drawn.json()).toMatchObject({ tiles: 63 })
  await vi.waitFor(async () => {
    const { tasks } = (await ask('/api/history')).json
    expect([tasks.length, tasks.at(-1)?.name]).toEqual([50, 'mandelbrot'])
  }, PATIENCE)

  primary.signal('SIGKILL')
  await primary.ends()
  expect(await ask('/api/history')).toMatchObject({ status: 503 })
  await chapter.run('primary')
  await vi.waitFor(async () => expect((await ask('/api/history')).status).toBe(200), PATIENCE)
  const first = (await ask('/api/history?name=mandelbrot&state=done')).json
  const second = (await ask(`/api/history?name=mandelbrot&state=done&after=${first.after}`)).json
  expect([first.tasks.length, second.tasks.length, second.after]).toEqual([50, 13, undefined])
  const ids = new Set([...first.tasks, ...second.tasks].map(({ id }: { id: string }) => id))
  expect(ids.size).toBe(63)
  expect((await ask('/api/history?name=trouble')).json.tasks).toMatchObject([
    { name: 'trouble', by: 'submitter', state: 'done', node: 'secondary-1', attempts: 1, lost: 0 },
  ])
  expect((await ask('/api/history?state=failed')).json.tasks).toEqual([])
  expect(await ask('/api/history?state=lost')).toMatchObject({
    status: 400,
    json: { error: expect.stringMatching(/done, failed, cancelled/) },
  })

  const page = await ask('/history?name=trouble&state=%22%3Cb')
  expect(page).toMatchObject({ status: 400, text: expect.not.stringContaining('"<b') })
  expect((await ask('/history?name=trouble')).text).toMatch(/trouble [\w-]+.*secondary-1/s)
  expect((await ask('/history')).text).toMatch(/\/history\?name=&(amp;)?state=&(amp;)?after=\d+/)
  expect((await ask('/')).text).toContain('href="/history"')
})
