import { existsSync, readFileSync } from 'node:fs'
import { cp, rename } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type ChapterCopy, sayTo, test } from '@rpi-cluster/tutorial/harness'
import { expect, onTestFinished, vi } from 'vitest'
import { nodesOf, runWebserver } from './support.ts'

const PATIENCE = { timeout: 30_000, interval: 20 }

const stateOf = (chapter: ChapterCopy, file = 'slave.json') => join(chapter.folder, 'state', file)

/** Runs a slave, and says which identity it keeps. Fails at once where no program keeps any. */
async function runSlave(chapter: ChapterCopy, file?: string) {
  const slave = await chapter.run('slave')
  await slave.says(/We have information about the master/)
  expect(existsSync(stateOf(chapter, file)), stateOf(chapter, file)).toBe(true)
  const { uuid }: { uuid: string } = JSON.parse(readFileSync(stateOf(chapter, file), 'utf8'))
  return { slave, uuid }
}

/** Follows the events of a page, as a browser does. */
async function follow(site: string, id?: string) {
  const abort = new AbortController()
  onTestFinished(() => abort.abort())
  const response = await fetch(`${site}/events`, {
    signal: abort.signal,
    ...(id !== undefined && { headers: { 'Last-Event-ID': id } }),
  })
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    'text/event-stream; charset=utf-8',
  ])
  const events: { id: string; data: { all: boolean; rows: Record<string, string>; removed: string[] } }[] = []
  let text = ''
  void (async () => {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString()
      const whole = text.split('\n\n')
      text = whole.pop() ?? ''
      for (const event of whole) {
        const [, id = '', data = ''] = /^id: (.*)\ndata: (.*)$/.exec(event) ?? []
        if (id) events.push({ id, data: JSON.parse(data) })
      }
    }
  })().catch(() => {})
  const shows = (pattern: RegExp) =>
    vi.waitFor(
      () => expect(events.map(({ data }) => Object.values(data.rows).join('\n')).join('\n')).toMatch(pattern),
      PATIENCE,
    )
  return { events, shows, close: () => abort.abort() }
}

test('each slave is on the page, and what changes is sent: it comes, goes, and is back in its row', async ({
  chapter,
}) => {
  const { site } = await runWebserver(chapter)
  expect((await fetch(`${site}/events`, { method: 'HEAD' })).status).toBe(200)
  const page = await follow(site)
  await page.shows(/The master has not been reached yet/)
  await chapter.run('master')
  await page.shows(/The master is here/)
  const { slave, uuid } = await runSlave(chapter)
  await page.shows(new RegExp(`<th scope="row">${hostname()} #\\d+</th>[\\s\\S]*good">here<`))
  await page.shows(/Here: 2\. Silent: 0\. Gone: 0\./)
  await slave.kill()
  const isShownAs = (state: string) =>
    vi.waitFor(async () => expect((await nodesOf(site))[uuid]?.state).toBe(state), PATIENCE)
  await isShownAs('gone')
  await page.shows(new RegExp(`node-${uuid}"[^]*?bad">gone, last heard at [\\d-]+ [\\d:]+<`))
  await chapter.run('slave')
  await isShownAs('here')
  // The page is made anew a moment after what it shows.
  await vi.waitFor(async () => {
    const html = await (await fetch(site)).text()
    expect(html.match(/<tr id="node-/g)).toHaveLength(2)
  }, PATIENCE)
})

test('a slave that stands still is shown as silent, before it is cut', async ({ chapter }) => {
  await chapter.run('master')
  const { site } = await runWebserver(chapter)
  expect((await fetch(`${site}/api/nodes`)).status).toBe(200)
  const slave = await chapter.run('slave')
  await slave.says(/We have information about the master/)
  const states = async () => Object.values(await nodesOf(site)).map(({ state }) => state)
  await vi.waitFor(async () => expect(await states()).toEqual(['here', 'here']), PATIENCE)
  slave.signal('SIGSTOP')
  try {
    await vi.waitFor(async () => expect((await states()).toSorted()).toEqual(['here', 'silent']), PATIENCE)
    await vi.waitFor(async () => expect((await states()).toSorted()).toEqual(['gone', 'here']), PATIENCE)
  } finally {
    slave.signal('SIGCONT')
  }
  await vi.waitFor(async () => expect(await states()).toEqual(['here', 'here']), PATIENCE)
})

test('a page that comes back gets what it has missed; from another process of the webserver, all', async ({
  chapter,
}) => {
  await chapter.run('master')
  const { webserver, site } = await runWebserver(chapter)
  const page = await follow(site)
  await page.shows(/\(webserver\)/)
  await page.shows(/Here: 1\./)
  const { id = '' } = page.events.at(-1) ?? {}
  page.close()
  await chapter.run('slave')
  await vi.waitFor(async () => expect(Object.keys(await nodesOf(site))).toHaveLength(2), PATIENCE)
  const again = await follow(site, id)
  await again.shows(/Here: 2\./)
  expect(again.events[0]?.data.all).toBe(false)
  expect(Object.keys(again.events[0]?.data.rows ?? {}).filter((id) => id.startsWith('node-'))).toHaveLength(1)
  const last = again.events.at(-1)?.id ?? ''
  await webserver.kill()
  const other = await runWebserver(chapter)
  const third = await follow(other.site, last)
  await third.shows(/Here: 2\./)
  expect(third.events[0]?.data.all).toBe(true)
})

test('a slave has the identity that the master gave it after kill -9, too, and each slave its own', async ({
  chapter,
}) => {
  const master = await chapter.run('master')
  const { slave, uuid: first } = await runSlave(chapter)
  expect(first).toMatch(/^[0-9a-f]{32}$/)
  await slave.kill()
  expect((await runSlave(chapter)).uuid).toBe(first)
  const { uuid: second } = await runSlave(chapter, 'slave-2.json')
  expect(second).not.toBe(first)
  const { site } = await runWebserver(chapter)
  await vi.waitFor(
    async () => expect(Object.keys(await nodesOf(site))).toEqual(expect.arrayContaining([first, second])),
    PATIENCE,
  )
  expect(master.messages.filter((line) => /Two nodes/.test(line))).toEqual([])
})

test('two slaves with one identity, as a copied SD card makes them, are told and shown', async ({
  chapter,
}) => {
  const master = await chapter.run('master')
  const { site } = await runWebserver(chapter)
  const { uuid } = await runSlave(chapter)
  // Another machine has the same file: here, the folder that the first slave holds has gone elsewhere.
  await rename(join(chapter.folder, 'state'), join(chapter.folder, 'first'))
  await cp(join(chapter.folder, 'first/slave.json'), stateOf(chapter, 'slave-3.json'))
  await chapter.run('slave')
  await cp(join(chapter.folder, 'first/slave.json'), stateOf(chapter, 'slave-2.json'))
  await chapter.run('slave')
  await master.says(new RegExp(`: Two nodes show the identity ${uuid}: `))
  await vi.waitFor(
    async () =>
      expect(Object.values(await nodesOf(site)).filter(({ copy }) => copy)).toMatchObject([
        { uuid },
        { uuid },
      ]),
    PATIENCE,
  )
  // The page is made of these rows a moment later, and on a busy machine who is here may look silent then.
  await vi.waitFor(
    async () => expect(await (await fetch(site)).text()).toContain('here, a copy of another'),
    PATIENCE,
  )
})

test('a process that comes back replaces its old connection at once, and no other is hurt', async ({
  chapter,
}) => {
  const master = await chapter.run('master')
  const uuid = '0123456789abcdef0123456789abcdef'
  const details = JSON.stringify({ hostname: 'pi', client: 7, uuid })
  const hello = `{"type":"computer_details","payload":${details}}\r`
  const { site } = await runWebserver(chapter)
  await nodesOf(site)
  const { address: old } = await sayTo(chapter.port, hello)
  await master.says(/: pi #7 has joined/)
  const { address } = await sayTo(chapter.port, hello)
  await master.says(
    new RegExp(
      `: pi #7 at ${old} has come back, from ${address}\\. Its connection from ${old} is closed\\.$`,
    ),
  )
  await vi.waitFor(async () => expect((await nodesOf(site))[uuid]).toMatchObject({ address }), PATIENCE)
})

test('a master that gives no identities is none to be without: the slave goes on', async ({ chapter }) => {
  const standIn = await chapter.standIn()
  const slave = await chapter.run('slave')
  await standIn.receives(/"type":"info"[^\r]*\r/)
  expect(standIn.received).toMatch(/"payload":"uuid"/)
  const [, id] = /"payload":"uuid","id":(\d+)/.exec(standIn.received) ?? []
  standIn.says(`{"type":"bad_message","payload":"unknown","id":${id}}\r`)
  await standIn.receives(/"type":"computer_details"/)
  await slave.says(/: There is no identity for this node here: the peer gives none\.$/)
  expect(existsSync(stateOf(chapter))).toBe(false)
})

test('what nodes say is text on the page, in whatever row it comes', async ({ chapter }) => {
  await chapter.run('master')
  const { site } = await runWebserver(chapter)
  await nodesOf(site)
  const evil = '<img src=x onerror=alert(1)>'
  const details = { hostname: evil, client: 7, cpu: evil, program: `</script>${evil}` }
  await sayTo(chapter.port, `${JSON.stringify({ type: 'computer_details', payload: details })}\r`)
  await vi.waitFor(async () => expect(await (await fetch(site)).text()).toContain('onerror'), PATIENCE)
  const html = await (await fetch(site)).text()
  expect(html).not.toContain('<img')
  expect(html.match(/<script/g)).toHaveLength(1)
  const page = await follow(site)
  await page.shows(/onerror/)
  expect(JSON.stringify(page.events)).not.toContain('<img')
})

test('the units of what keeps an identity get a folder for it', async ({ chapter }) => {
  for (const name of ['slave', 'webserver']) {
    const service = await chapter.run('service', { args: [name] })
    await service.ends()
    expect(service.lines).toContain(`StateDirectory=rpicluster-${name}`)
  }
})
