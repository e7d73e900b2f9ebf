import { execFileSync } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type ChapterCopy, standInCommands, test } from '@rpi-cluster/tutorial/harness'
import { expect } from 'vitest'

/** Runs helpers.ts until it ends. */
async function helpers(chapter: ChapterCopy, args: string[], options = {}) {
  expect(chapter.chapter.commands).toContain('helpers')
  const program = await chapter.run('helpers', { args, ...options })
  await program.ends()
  return program
}

test('without a name it lists what it can do, and which of that needs --yes', async ({ chapter, expect }) => {
  const { messages, exitCode } = await helpers(chapter, [])
  expect(exitCode).toBe(0)
  expect(messages.map((line) => line.replace(/: .*?( \(with --yes\))?$/, '$1'))).toEqual([
    'reboot (with --yes)',
    'shutdown (with --yes)',
    'update-system (with --yes)',
    'node-time',
    'code-revision',
    'revision-time',
    'update-code (with --yes)',
  ])
})

test('what changes the machine is shown, and done with --yes, from whatever folder', async ({
  chapter,
  expect,
}) => {
  const { env, calls } = await standInCommands(chapter, ['sudo', 'git', 'reboot', 'apt-get'])
  const ownCalls = async () => (await calls()).filter((call) => !/git (rev-parse|show)/.test(call))
  const shown = await helpers(chapter, ['update-code'], { env, cwd: '/' })
  expect(shown.messages).toEqual(['Would run: git pull --ff-only', 'Nothing was done. Say --yes to do it.'])
  expect(await ownCalls()).toEqual([])
  const done = await helpers(chapter, ['update-code', '--yes'], { env, cwd: '/' })
  expect(done.messages).toEqual(['done'])
  expect(await ownCalls()).toEqual([`${chapter.folder}: git pull --ff-only`])
  expect(done.exitCode).toBe(0)
  expect((await chapter.log('helpers.log')).at(-1)).toMatchObject({ msg: 'done' })
})

test('what only looks is done at once: the time, and the revision that is running', async ({
  chapter,
  expect,
}) => {
  const git = (...words: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...words], { cwd: chapter.folder })
      .toString()
      .trim()
  git('init', '--quiet')
  git('commit', '--quiet', '--allow-empty', '-m', 'first')
  const revision = await helpers(chapter, ['code-revision'], { cwd: '/' })
  expect(revision.messages).toEqual([git('rev-parse', 'HEAD')])
  const time = await helpers(chapter, ['node-time'])
  expect(time.messages).toEqual([expect.stringMatching(/^\d{10,}\.\d{3}$/)])
  // The copy of the chapter is no clone any more.
  await rm(join(chapter.folder, '.git'), { recursive: true })
  const none = await helpers(chapter, ['revision-time'])
  expect(none.exitCode).toBe(1)
  expect(none.messages.at(-1)).toMatch(/^"git show .*" was run in a folder that is no clone of a repository/)
})

test('what does not work, or is not known, is a line and exit code 1', async ({ chapter, expect }) => {
  const failing = await standInCommands(
    chapter,
    ['git'],
    'echo "fatal: Could not resolve host: example.org" >&2; exit 1',
  )
  for (const [args, line] of [
    [['update-code', '--yes'], /^"git pull --ff-only" found no network, or nobody at the other end/],
    [['pizza'], /^There is no task "pizza"\. Without a name, all are listed\.$/],
    [['reboot', '--no'], /^There is no option "--no"\. A task takes --yes\.$/],
  ] as const) {
    const { exitCode, messages } = await helpers(chapter, [...args], { env: failing.env })
    expect([exitCode, messages.at(-1)]).toEqual([1, expect.stringMatching(line)])
  }
})
