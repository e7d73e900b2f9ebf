import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { asTyped, runCommand } from '../src/commands.ts'
import { type NodeTask, nodeTasks } from '../src/node-tasks.ts'
import { tempFolder } from './support.ts'

afterEach(() => void vi.unstubAllEnvs())

const { signal: stop } = new AbortController()

/** Puts programs before all others, for this test. Each notes its words and its folder, and then does as it is told. */
function standIns(scripts: Record<string, string>): { calls: () => string[]; folder: string } {
  const folder = tempFolder()
  const bin = join(folder, 'bin')
  const calls = join(folder, 'calls')
  mkdirSync(bin)
  for (const [name, script] of Object.entries(scripts)) {
    const file = join(bin, name)
    writeFileSync(
      file,
      `#!/bin/bash\nprintf '%s|' "$PWD" ${name} "$@" >> ${calls}; echo >> ${calls}\n${script}\n`,
    )
    chmodSync(file, 0o755)
  }
  vi.stubEnv('PATH', `${bin}${delimiter}${process.env['PATH']}`)
  return {
    calls: () => (existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : []),
    folder,
  }
}

describe('the tasks run exactly these words, in the folder of the code', () => {
  test.for([
    ['reboot', ['sudo|-n|reboot|']],
    ['shutdown', ['sudo|-n|shutdown|-h|now|']],
    [
      'update-system',
      ['sudo|-n|apt-get|update|', 'sudo|-n|apt-get|upgrade|-y|-o|Dpkg::Options::=--force-confold|'],
    ],
    ['update-code', ['git|pull|--ff-only|']],
  ] as const)('%s', async ([name, words]) => {
    const { calls, folder } = standIns({ sudo: 'echo done', git: 'echo done' })
    const task = nodeTasks({ folder, stop, isRoot: false }).get(name) as NodeTask
    const lines: string[] = []
    expect(await task.run((line) => lines.push(line))).toBe('done')
    const own = calls().filter((call) => !/git\|(rev-parse|show)/.test(call)) // which every start asks for
    expect(own).toEqual(words.map((call) => `${folder}|${call}`))
    expect(task.commands.map((command) => `${command.join('|')}|`)).toEqual(words)
    expect(lines).toEqual(words.map(() => 'done'))
    expect(task.changes).toBe(true)
  })

  test('and without sudo where the program is root already', async () => {
    const { calls, folder } = standIns({ reboot: '', git: '' })
    await nodeTasks({ folder, stop, isRoot: true }).get('reboot')?.run()
    expect(calls()).toContain(`${folder}|reboot|`)
  })
})

test('the revision is the one that was there at the start, in whatever folder the program was started', async () => {
  const folder = tempFolder()
  const git = (...words: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...words], {
      cwd: folder,
      encoding: 'utf8',
    }).trim()
  git('init', '--quiet')
  git('commit', '--quiet', '--allow-empty', '-m', 'first')
  const [first, time] = git('show', '-s', '--format=%H %ct', 'HEAD').split(' ')
  // What a hook of another repository has in its environment.
  vi.stubEnv('GIT_DIR', '/does/not/exist')
  const tasks = nodeTasks({ folder, stop })
  expect(await tasks.get('code-revision')?.run()).toBe(first)
  vi.unstubAllEnvs()
  git('commit', '--quiet', '--allow-empty', '-m', 'second')
  expect(await tasks.get('code-revision')?.run()).toBe(first)
  const told: string[] = []
  expect(await tasks.get('revision-time')?.run((line) => told.push(line))).toBe(time)
  expect(told).toEqual([time])
  expect(Math.abs(Number(await tasks.get('node-time')?.run()) - Date.now() / 1000)).toBeLessThan(60)
})

describe('a command that does not work is told in a line that says what to do', () => {
  const told = (script: string, timeoutMs = 20_000) => {
    const { folder } = standIns({ thing: script })
    return runCommand(['thing', 'to do'], { folder, timeoutMs, stop })
  }

  test.for([
    ['echo "sudo: a password is required" >&2; exit 1', /needs a password, and nobody is there to type it/],
    ['echo "pi is not in the sudoers file." >&2; exit 1', /is not allowed to this user/],
    ['echo "fatal: not a git repository (or any)" >&2; exit 128', /no clone of a repository/],
    [
      'echo "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1"; exit 100',
      /the package manager at work already/,
    ],
    ['echo "Temporary failure resolving deb.debian.org"; exit 100', /no network/],
    ['echo "fatal: unable to access https://x/: Could not resolve host: x" >&2; exit 1', /no network/],
    [
      'echo "error: Your local changes would be overwritten by merge" >&2; exit 1',
      /changes that were made here/,
    ],
    [
      'echo "fatal: Not possible to fast-forward, aborting." >&2; exit 128',
      /commits here that are not there/,
    ],
    ['echo one; echo "the last line" >&2; exit 3', /ended with exit code 3: the last line$/],
    ['exit 4', /ended with exit code 4, and said nothing\.$/],
    ['kill -9 $$', /was ended by SIGKILL, and said nothing\.$/],
  ] as const)('%s', async ([script, line]) => {
    const error = await told(script).catch((error) => error)
    expect(error).toMatchObject({ name: 'OperationalError', problems: [expect.stringMatching(line)] })
    expect(error.message).toMatch(/^"thing 'to do'" /)
  })

  test('it takes too long', async () => {
    await expect(told('exec sleep 60', 100)).rejects.toThrow(
      `"thing 'to do'" took longer than 0.1 s, and was ended.`,
    )
  })

  test('it takes too long, and does not end when it is asked to', async () => {
    await expect(told("trap '' TERM; while :; do sleep 0.05; done", 100)).rejects.toThrow(
      'took longer than 0.1 s',
    )
  })

  test('it is not there', async () => {
    const options = { folder: tempFolder(), timeoutMs: 20_000, stop }
    await expect(runCommand(['no-such-program'], options)).rejects.toThrow(
      '"no-such-program" needs no-such-program, which is not installed here.',
    )
  })

  test('it asks: its input is empty', async () => {
    expect(await told('read answer; echo "answer: $answer, $LC_ALL, $GIT_TERMINAL_PROMPT"')).toBe(
      'answer: , C, 0',
    )
  })

  test('it is stopped', async () => {
    const { folder } = standIns({ thing: 'echo begun; exec sleep 60' })
    const controller = new AbortController()
    const running = runCommand(['thing'], {
      folder,
      timeoutMs: 60_000,
      stop: controller.signal,
      onLine: () => controller.abort(),
    })
    const error = await running.catch((error) => error)
    expect(error).toBe(controller.signal.reason)
  })
})

test('no word of a command means more than itself, and it is shown as one would type it', async () => {
  const words = ['$(id)', '`id`', '; id', "it's", '', '*', '~', 'a b', '>x']
  const { folder, calls } = standIns({ thing: '' })
  await runCommand(['thing', ...words], { folder, timeoutMs: 20_000, stop })
  expect(calls()).toEqual([`${folder}|thing|${words.join('|')}|`])
  const typed = asTyped(['printf', '%s|', ...words])
  expect(execFileSync('bash', ['-c', typed], { cwd: folder, encoding: 'utf8' })).toBe(`${words.join('|')}|`)
})
