import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ChapterCopy, test } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'

const PATIENCE = { timeout: 30_000, interval: 20 }

const sourceOf = (chapter: ChapterCopy, program: string) =>
  readFile(join(chapter.folder, 'src', `${program}.ts`), 'utf8')

/** Gives the slave another method, as a reader does, and perhaps another option. */
async function writeMethod(chapter: ChapterCopy, body: string, option = ''): Promise<void> {
  const text = await sourceOf(chapter, 'slave')
  const changed = text
    .replace(/(async performAction\(\) \{)[\s\S]*?(\n {2}\}\n)/, (_, begin, end) => `${begin}\n${body}${end}`)
    .replace('stop, log })', `stop, log${option} })`)
  expect(changed).toContain(body)
  await chapter.write('src/slave.ts', changed)
}

test('each program is a list of what its node does, in less than thirty lines', async ({
  chapter,
  expect,
}) => {
  for (const program of ['master', 'slave'])
    expect((await sourceOf(chapter, program)).split('\n').length, program).toBeLessThan(30 + 1)
})

test('a reader writes one method: it is called again and again, and after a loss again', async ({
  chapter,
  expect,
}) => {
  await writeMethod(chapter, "    await this.send('message', 'it is warm here')\n    await this.pause(1_000)")
  const slave = await chapter.run('slave')
  const warm = /Received message from \S+ #\d+: it is warm here/
  for (const end of ['SIGKILL', 'SIGTERM'] as const) {
    const master = await chapter.run('master')
    await vi.waitFor(
      () => expect(master.messages.filter((line) => warm.test(line)).length).toBeGreaterThan(1),
      PATIENCE,
    )
    await master.stop(end)
  }
  await slave.stop()
  expect(slave.exitCode).toBe(0)
})

test('a method that asks nothing, and waits for long, keeps its connection: the class beats', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.run('master')
  await writeMethod(chapter, "    await this.pause(60_000)\n    await this.send('message', 'after a minute')")
  const slave = await chapter.run('slave')
  await vi.waitFor(
    () => expect(master.messages.join('\n')).toMatch(/Received message from \S+ #\d+: after a minute/),
    PATIENCE,
  )
  expect([...master.messages, ...slave.messages].filter((line) => /^(Nothing came|Lost)/.test(line))).toEqual(
    [],
  )
  await slave.stop()
  await master.stop()
})

test('a mistake in it ends the slave with exit code 1, or is told and survived, as the reader chooses', async ({
  chapter,
  expect,
}) => {
  const master = await chapter.run('master')
  const mistake = '    await this.pause(1_000)\n    throw new TypeError("not a thermometer")'
  await writeMethod(chapter, mistake)
  const slave = await chapter.run('slave')
  await slave.ends()
  expect(slave.exitCode).toBe(1)
  expect(slave.messages.at(-1)).toMatch(/^A mistake in the program ended it: TypeError: not a thermometer/)

  await writeMethod(chapter, mistake, ", mistakes: 'survive'")
  const survivor = await chapter.run('slave')
  await vi.waitFor(
    () =>
      expect(
        survivor.messages.filter((line) => /^A mistake in performAction, which the node survives/.test(line))
          .length,
      ).toBeGreaterThan(1),
    PATIENCE,
  )
  expect(survivor.lines.filter((line) => /^\s+at /.test(line))).toEqual([])
  await survivor.stop()
  expect(survivor.exitCode).toBe(0)
  expect(master.exitCode).toBeNull()
})

test('a method that forgets to wait is slowed and told, and does not spin', async ({ chapter, expect }) => {
  const master = await chapter.run('master')
  await writeMethod(chapter, "    await this.send('message', 'again')")
  const slave = await chapter.run('slave')
  await vi.waitFor(
    () =>
      expect(slave.messages.join('\n')).toMatch(
        /^performAction has taken less than a tenth of a second 10 times/m,
      ),
    PATIENCE,
  )
  await slave.stop()
  expect(slave.exitCode).toBe(0)
  await master.stop()
})
