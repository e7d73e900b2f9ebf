import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ChapterCopy, standInCommands, test } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'

const PATIENCE = { timeout: 30_000, interval: 20 }

/** Runs service.ts until it ends. */
async function service(chapter: ChapterCopy, args: string[], options = {}) {
  expect(chapter.chapter.commands).toContain('service')
  const program = await chapter.run('service', { args, ...options })
  await program.ends()
  return program
}

test('the unit of each program is printed, and starts that program', async ({ chapter, expect }) => {
  for (const name of ['master', 'slave']) {
    const { lines, exitCode } = await service(chapter, [name, '--print'], { cwd: '/' })
    expect(exitCode).toBe(0)
    expect(lines).toContain(`Description=Raspberry Pi cluster: ${name}`)
    expect(lines.join('\n')).toMatch(new RegExp(`^ExecStart=\\S*node .*/${name}\\.[jt]s"?$`, 'm'))
  }
})

test('the unit that the README shows is the one that is printed', async ({ chapter, expect }) => {
  const { lines } = await service(chapter, ['slave'])
  const readme = await readFile(join(import.meta.dirname, '../README.md'), 'utf8')
  const [, shown] = /```ini example\n(\[Unit\][\s\S]*?)```/.exec(readme) ?? []
  const paths = /^(ExecStart=|WorkingDirectory=).*$/gm
  expect(shown?.trim().replace(paths, '$1')).toBe(lines.join('\n').trim().replace(paths, '$1'))
})

test('it is printed, and nothing else, also where no log could be written', async ({ chapter, expect }) => {
  await mkdir(join(chapter.folder, 'service.log'))
  const { lines, exitCode } = await service(chapter, ['slave', '--print'])
  expect([lines[0], lines.at(-1)]).toEqual(['[Unit]', 'WantedBy=multi-user.target'])
  expect(exitCode).toBe(0)
})

test('what is to be installed lies where a service finds it, and may read it', async ({
  chapter,
  expect,
}) => {
  const { env, calls } = await standInCommands(chapter, ['install', 'systemctl', 'sudo'])
  const { lines, exitCode } = await service(chapter, ['slave', '--install'], { env })
  // The folders of tests are for nobody else, and on a Linux in /tmp.
  expect(lines).toEqual([expect.stringMatching(/^The service has a (user|\/tmp) of its own, .* into \/opt/)])
  expect(exitCode).toBe(1)
  expect(await calls()).toEqual([])
})

test('what cannot be is a line that says what can, and exit code 1', async ({ chapter, expect }) => {
  const usage = /^Name a program, and what to do with its unit: "slave --print" .*, "slave --install" /
  for (const [args, line] of [
    [[], usage],
    [['--help'], usage],
    [['--install', 'slave'], usage],
    [['slave', '--install', 'now'], usage],
    [['slave', '--instal'], /^There is no option "--instal"\. A unit takes --print or --install\.$/],
    ...['nobody', 'helpers', 'service', 'config'].map(
      (name) => [[name], new RegExp(`^There is no program "${name}" here .*: master, slave\\.$`)] as const,
    ),
  ] as const) {
    const { lines, exitCode } = await service(chapter, [...args])
    expect(lines).toEqual([expect.stringMatching(line)])
    expect(exitCode).toBe(1)
  }
})

test('systemd is told that a slave is ready without a master, when it has one, and when it waits again', async ({
  chapter,
  expect,
}) => {
  const { env, calls } = await standInCommands(chapter, ['systemd-notify'])
  const slave = await chapter.run('slave', { env: { ...env, NOTIFY_SOCKET: '/run/nobody' } })
  await vi.waitFor(async () => expect(await calls()).toHaveLength(1), PATIENCE)
  expect(await calls()).toEqual([
    expect.stringMatching(/: systemd-notify READY=1 STATUS=Waiting for the master$/),
  ])
  const master = await chapter.run('master', { env: { ...env, NOTIFY_SOCKET: '/run/nobody' } })
  // Whose word comes first, nobody knows.
  await vi.waitFor(
    async () =>
      expect(await calls()).toEqual(
        expect.arrayContaining([
          expect.stringMatching(/READY=1 STATUS=Listening on 127\.0\.0\.1:\d+$/),
          expect.stringMatching(/STATUS=Connected to \S+ as client \d+$/),
        ]),
      ),
    PATIENCE,
  )
  await master.stop('SIGKILL')
  await vi.waitFor(
    async () => expect((await calls()).at(-1)).toMatch(/: systemd-notify STATUS=Waiting for the master$/),
    PATIENCE,
  )
  await slave.stop()
  await vi.waitFor(async () => expect((await calls()).at(-1)).toMatch(/STOPPING=1/), PATIENCE)
})
