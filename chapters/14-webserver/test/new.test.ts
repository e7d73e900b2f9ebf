import { hostname } from 'node:os'
import { type ChapterCopy, test } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'

const PATIENCE = { timeout: 30_000, interval: 20 }

/** Runs the webserver, and says where its page is. */
async function runWebserver(chapter: ChapterCopy, options = {}) {
  expect(chapter.chapter.programs.map(({ name }) => name)).toContain('webserver')
  const webserver = await chapter.run('webserver', options)
  await webserver.says(/Serving the page on http:\S+\/$/)
  const [port] = chapter.portsOf('webserver')
  const site = `http://127.0.0.1:${port}`
  return { webserver, site, page: () => textAt(site) }
}

/** What a page says, without its markup. */
async function textAt(address: string): Promise<string> {
  const html = await (await fetch(address)).text()
  return html
    .replace(/<head>[\s\S]*<\/head>|<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
}

test('the page shows what the master has answered, and /api/master the same as JSON', async ({
  chapter,
  expect,
}) => {
  const { site, page } = await runWebserver(chapter)
  const master = await chapter.run('master')
  await vi.waitFor(
    async () =>
      expect(await page()).toMatch(
        /^Raspberry Pi Cluster The master The master is here\. This is what it answered (just now|\d+ seconds ago)\. /,
      ),
    PATIENCE,
  )
  expect(await page()).toMatch(new RegExp(`Name ${hostname()} Processor in use [\\d.]+ % Memory [\\d.]+ GiB`))
  expect(await (await fetch(`${site}/api/master`)).json()).toMatchObject({
    state: 'here',
    details: { hostname: hostname(), ram: expect.any(Number) },
    ageMs: expect.any(Number),
  })
  expect(master.messages.join('\n')).toMatch(/#\d+ wants to know my computer_details/)
})

test('without a master it says so on its page, and heals: also when the master goes, and comes back', async ({
  chapter,
}) => {
  const { webserver, page } = await runWebserver(chapter)
  const shows = (pattern: RegExp) => vi.waitFor(async () => expect(await page()).toMatch(pattern), PATIENCE)
  await shows(
    /The master has not been reached yet\. The web server goes on trying\. As of [\d-]+ [\d:]+\. Look again$/,
  )
  const first = await chapter.run('master')
  await shows(/The master is here/)
  await first.stop('SIGKILL')
  await shows(
    /The master is gone\. This is what it answered (just now|\d+ seconds ago)\. The web server goes on trying\. Name \S+/,
  )
  await chapter.run('master')
  await shows(/The master is here/)
  await webserver.stop()
  expect(webserver.exitCode).toBe(0)
})

test('what the master says is shown as text, whatever it is, and not all of it', async ({
  chapter,
  expect,
}) => {
  const { site, page } = await runWebserver(chapter)
  const standIn = await chapter.standIn()
  await standIn.receives(/"type":"info"[^\r]*\r/)
  const [, id] = /"type":"info"[^\r]*"id":([^,}]+)/.exec(standIn.received) ?? []
  const payload = {
    hostname: '<script>alert(1)</script>',
    '"><img src=x onerror=alert(2)>': '&amp;',
    ram: 'much',
    __proto__x: { deep: [null] },
    long: 'x'.repeat(100_000),
    ...Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`key ${index}`, index])),
  }
  standIn.says(`${JSON.stringify({ type: 'master_info', payload, id: JSON.parse(id ?? '0') })}\r`)
  await vi.waitFor(async () => expect(await page()).toMatch(/The master is here/), PATIENCE)

  const html = await (await fetch(site)).text()
  expect(html).not.toMatch(/<script|<img/)
  expect(html).toContain('<td>&lt;script&gt;alert(1)&lt;/script&gt;</td>')
  expect(html).toContain(
    '<th scope="row">&quot;&gt;&lt;img src=x onerror=alert(2)&gt;</th><td>&amp;amp;</td>',
  )
  expect(html).toContain('<td>much</td>')
  expect(html.length).toBeLessThan(10_000)
})

test('it serves as people expect: types, HEAD, a page for what is not there, nothing to be written', async ({
  chapter,
  expect,
}) => {
  // From whatever folder: what the page needs lies beside the program.
  const { site } = await runWebserver(chapter, { cwd: '/' })
  const answers = await Promise.all([
    fetch(site),
    fetch(`${site}/page.css`),
    fetch(`${site}/icon.svg`),
    fetch(`${site}/api/master`),
    fetch(site, { method: 'HEAD' }),
    fetch(`${site}/nothing`),
    fetch(site, { method: 'POST' }),
  ])
  expect(answers.map(({ status, headers }) => [status, headers.get('content-type')])).toEqual([
    [200, 'text/html; charset=UTF-8'],
    [200, 'text/css; charset=utf-8'],
    [200, 'image/svg+xml; charset=utf-8'],
    [200, 'application/json'],
    [200, 'text/html; charset=UTF-8'],
    [404, 'text/html; charset=UTF-8'],
    [405, 'text/plain; charset=UTF-8'],
  ])
  for (const { headers } of answers)
    expect(headers.get('content-security-policy')).toMatch(/default-src 'none';.*frame-ancestors 'none'/)
  expect(await textAt(`${site}/nothing`)).toBe('There is no such page The cluster is on the first page .')
  const html = await (await fetch(site)).text()
  expect(html).not.toMatch(/<script|style=|http-equiv/)
})

test('what browsers ask for does not reach the master', async ({ chapter, expect }) => {
  const { webserver, site, page } = await runWebserver(chapter)
  const master = await chapter.run('master')
  await vi.waitFor(async () => expect(await page()).toMatch(/The master is here/), PATIENCE)
  for (let turn = 0; turn < 10; turn += 1)
    await Promise.all(Array.from({ length: 30 }, async () => (await fetch(`${site}/api/master`)).text()))
  const asked = master.messages.filter((line) => /wants to know/.test(line)).length
  // One for each of its turns, and one for each beat in a silence.
  expect(asked).toBeLessThanOrEqual(2 * webserver.mostTurns(5_000) + 2)
  expect(asked).toBeLessThan(300)
})

test('the original’s host, localhost, will do, and a value that is none is told', async ({
  chapter,
  expect,
}) => {
  const [port] = chapter.portsOf('webserver')
  const config = (host: string) =>
    `[slave]\nmaster_ip = 127.0.0.1\nsocket_port = ${chapter.port}\n[webserver]\nwebserver_port = ${port}\nwebserver_host = ${host}\n`
  expect(chapter.chapter.programs.map(({ name }) => name)).toContain('webserver')
  await chapter.write('rpicluster.cfg', config('localhost'))
  const { webserver } = await runWebserver(chapter)
  expect(webserver.messages[0]).toBe(`Serving the page on http://localhost:${port}/`)
  await webserver.stop()
  await chapter.write('rpicluster.cfg', config('http://pi'))
  const wrong = await chapter.run('webserver')
  await wrong.ends()
  expect(wrong.messages.join('\n')).toMatch(
    /\[webserver\] webserver_host is "http:\/\/pi"\. It takes a host name or an IP address/,
  )
})

test('it has a unit, as the other programs have', async ({ chapter, expect }) => {
  const service = await chapter.run('service', { args: ['webserver', '--print'] })
  await service.ends()
  expect(service.lines.join('\n')).toMatch(/^ExecStart=\S*node .*\/webserver\.[jt]s"?$/m)
})
