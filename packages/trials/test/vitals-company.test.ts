/** The primary and the nodes of chapter 17 among those of before, ours and in Python: who says node_baseinfo, and who computer_details. */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { ChapterCopy, chapterTest, hasPython, type Running, runPython } from '@rpi-cluster/tutorial/harness'
import { describe, expect, onTestFinished, vi } from 'vitest'
import { pythonNode, warningsOf } from './support/company.ts'

const test = chapterTest('17-vitals')
const PATIENCE = { timeout: 30_000, interval: 20 }

/** A copy of an earlier chapter whose nodes meet those of a copy of 17. */
async function before(
  name: '15-live-page' | '16-primary-secondary',
  chapter: ChapterCopy,
): Promise<ChapterCopy> {
  const old = await ChapterCopy.make(name)
  onTestFinished(() => old.remove())
  const [page] = old.portsOf('webserver')
  const [listening, connecting, peer] =
    name === '15-live-page' ? ['master', 'slave', 'master_ip'] : ['primary', 'secondary', 'primary_ip']
  await old.write(
    'rpicluster.cfg',
    `[${listening}]
socket_port = ${chapter.port}
socket_bind_ip = 127.0.0.1
[${connecting}]
socket_port = ${chapter.port}
${peer} = 127.0.0.1
[webserver]
webserver_port = ${page}
webserver_host = 127.0.0.1
`,
  )
  return old
}

/** How many a page has as here. */
async function here(chapter: ChapterCopy): Promise<number> {
  const [port] = chapter.portsOf('webserver')
  const nodes = (await (await fetch(`http://127.0.0.1:${port}/api/nodes`)).json()) as Record<
    string,
    { state: string }
  >
  return Object.values(nodes).filter(({ state }) => state === 'here').length
}

/** What programs warn of, but for losses that a test makes, and one question that those of before do not know. */
function strange(...programs: Running[]): string[] {
  const expected = /Nobody listens|Lost the connection|: info, with node_baseinfo$/
  return programs.flatMap(warningsOf).filter((line) => !expected.test(line))
}

describe.for(['15-live-page', '16-primary-secondary'] as const)('with nodes of ours, of %s', (name) => {
  const [primary, secondary] = name === '15-live-page' ? ['master', 'slave'] : ['primary', 'secondary']

  test('its nodes serve under our primary, and ours under its own, each in one cluster', async ({
    chapter,
  }) => {
    const old = await before(name, chapter)
    const theirs = await old.run(secondary)
    const ours = await chapter.run('secondary')
    const programs = [theirs, ours, await old.run('webserver'), await chapter.run('webserver')]
    const first = await chapter.run('primary')
    const allServe = async (times: number) => {
      await theirs.says(/We have information about the/, times)
      await ours.says(/We have information about the primary/, times)
      for (const one of [old, chapter])
        await vi.waitFor(async () => expect(await here(one)).toBe(4), PATIENCE)
    }
    await allServe(2)
    await first.says(/Received vitals/)
    await first.stop()
    const heard = (program: Running) =>
      program.messages.filter((line) => /We have information/.test(line)).length
    const second = await old.run(primary)
    await allServe(Math.max(heard(theirs), heard(ours)) + 2)
    expect(strange(...programs, first, second)).toEqual([])
    // Once in each connection it is asked by the name that it does not know.
    for (const line of warningsOf(second)) expect(line).toMatch(/: info, with node_baseinfo$/)
    expect(warningsOf(second).length).toBeLessThanOrEqual(2)
  })
})

describe.runIf(hasPython())('with nodes in Python', () => {
  const kinds = ['15', '15-web', '16', '16-web', '17', '17-web', '18']

  test('those of 15 to 18 serve under our primary, each by its names', async ({ chapter }) => {
    const primary = await chapter.run('primary')
    const nodes = await Promise.all(kinds.map((kind) => pythonNode(kind, chapter.port)))
    for (const node of nodes) await node.says(/^beat/, 3)
    for (const [index, node] of nodes.entries()) {
      const kind = kinds[index] ?? ''
      const details = kind < '17' ? 'computer_details' : 'node_baseinfo'
      const answers = node.lines.flatMap((line) => /^asked (\w+: \w+)/.exec(line)?.[1] ?? [])
      expect(answers, kind).toContain(`${details}: ${kind < '17' ? answerOfBefore(answers) : 'primary_info'}`)
      if (kind.endsWith('-web'))
        expect(answers.join(), kind).toMatch(
          kind < '16' ? /slave_details: slave_details/ : /secondary_details: secondary_details/,
        )
      expect(node.exitCode, kind).toBeNull()
      expect(node.lines.join('\n'), kind).not.toMatch(/UNASKED|Traceback|bad_message|lost/)
    }
    await primary.says(/Received vitals from python-1[78].*"cpu_frequency":600/, 3)
    expect(strange(primary)).toEqual([])
    for (const node of nodes) await node.kill()
  })

  test.for(['15', '16', '17', '18'])(
    'the primary of %s has our secondary, its vitals if it takes them, and our page',
    async (post, { chapter }) => {
      const script = join(import.meta.dirname, 'support/python/master.py')
      const master = await runPython(script, post, String(chapter.port), '10')
      const secondary = await chapter.run('secondary')
      const webserver = await chapter.run('webserver')
      await secondary.says(/We have information about the primary/, 3)
      await vi.waitFor(async () => expect(await here(chapter)).toBe(2), PATIENCE)
      await master.says(new RegExp(`^Computer specifications: .*'hostname': '${hostname()}'`), 2)
      const asked = master.lines.flatMap((line) => /my info about (\w+)/.exec(line)?.[1] ?? [])
      if (post >= '17') {
        await master.says(
          new RegExp(`^Written cpu,node=${hostname()} frequency=\\d+\\.\\d+,percentage=\\d+\\.\\d+$`),
        )
        expect(asked).not.toContain('computer_details')
      } else {
        // Each asks once by the name that it does not know.
        expect(asked.filter((name) => name === 'node_baseinfo')).toHaveLength(2)
        expect(asked.filter((name) => name === 'computer_details').length).toBeGreaterThan(3)
      }
      expect(strange(secondary, webserver)).toEqual([])
      expect(master.lines.join('\n')).not.toMatch(/Traceback/)
      await master.kill()
    },
  )
})

/** What a node hears to the former question: by the former name, unless it has used a new one before. */
function answerOfBefore(answers: readonly string[]): string {
  return answers.includes('computer_details: master_info') ? 'master_info' : 'primary_info'
}
