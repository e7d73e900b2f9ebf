/** What a writer of these texts is told when something in them is no longer true, shown in a clean copy of the repository. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CleanCopy } from '../src/checks/console-blocks.ts'
import { allTexts } from '../src/checks/text-checks.ts'
import { ROOT } from '../src/workspace/repository.ts'

/** Time for three looks at every text of the repository, on a busy machine, in ms. */
const LONG = 600_000

const README = 'chapters/06-slave-details/README.md'

let copy: CleanCopy
beforeAll(async () => {
  copy = await CleanCopy.make()
}, LONG)
afterAll(() => copy.dispose())

/** What has been changed in the copy, apart from its texts. */
const sources = new Set<string>()

/** Changes files of the copy. All others are as they are here, whatever a try before, which may have taken too long, has left. */
function change(changes: Record<string, (text: string) => string>): void {
  for (const file of [...sources, ...allTexts()]) copyFileSync(join(ROOT, file), join(copy.folder, file))
  for (const [file, changed] of Object.entries(changes)) {
    sources.add(file)
    const before = readFileSync(join(copy.folder, file), 'utf8')
    const after = changed(before)
    expect(after).not.toBe(before)
    writeFileSync(join(copy.folder, file), after)
  }
}

/** Runs the tool in the copy, until the test's time is over. */
function tutorial(signal: AbortSignal, ...args: string[]) {
  return execa(process.execPath, [join(copy.folder, 'packages/tutorial/bin/tutorial.js'), ...args], {
    cwd: copy.folder,
    cancelSignal: signal,
    reject: false,
    all: true,
  })
}

test('one changed character of a source is told, with the README that shows it, and sync mends it', {
  timeout: LONG,
}, async ({ signal }) => {
  change({
    'chapters/06-slave-details/src/slave.ts': (text) => text.replace('I am still alive', 'I am still Alive'),
  })
  const check = await tutorial(signal, 'texts')
  expect(check.exitCode).toBe(1)
  expect(check.all).toMatch(
    /^chapters\/06-slave-details\/README\.md:\d+: the block from chapters\/06-slave-details\/src\/slave\.ts is stale \(pnpm sync mends it\): its line \d is /m,
  )
  const sync = await tutorial(signal, 'sync', '--no-console')
  expect(sync.all).toContain(README)
  expect((await tutorial(signal, 'texts')).all).toBe('')
  const synced = readFileSync(join(copy.folder, README), 'utf8')
  expect(synced).toContain("+  await send(master, 'message', `I am still Alive, client: ")
  expect(synced).not.toContain("send(master, 'message', `I am still alive")
})

test('what is not true, or lacks its explanation, is told where it stands', { timeout: LONG }, async ({
  signal,
}) => {
  const wrong = [
    ['See [it](src/nothing.ts).', 'the link src/nothing.ts leads nowhere'],
    [
      'See [it](src/slave.ts#no).',
      'the link src/slave.ts#no names no symbol of chapters/06-slave-details/src/slave.ts',
    ],
    ['See [it](#nothing).', `the link #nothing names no heading of ${README}`],
    ['See [it](http://example.org/).', 'the link http://example.org/ is no https address'],
    ['```sh\npnpm --filter 03-sockets strat\n```', 'pnpm strat is no script of chapters/03-sockets'],
    ['```sh\npnpm --filter 3-sockets start\n```', 'there is no package 3-sockets'],
    [
      '```ts\nconst x = 1\n```',
      'this ts block says neither which file it is cut from (file=..., program=...), nor that it is an example',
    ],
    [
      '```ts file=src/slave.ts at="nothing"\n```',
      'no line of chapters/06-slave-details/src/slave.ts has the text "nothing"',
    ],
  ] as const
  change({
    [README]: (text) => `${text}\n${wrong.map(([addition]) => addition).join('\n\n')}\n`,
    'chapters/04-config/src/slave.ts': (text) => `${text}log.info('Done')\n`,
    'packages/core/src/messages.ts': (text) => `${text}\n/** New. */\nexport const idea = 1\n`,
    'chapters/19-broadcast/README.md': (text) =>
      text.replace('](../18-temperature/src/webserver.ts)', '](../18-temperature/README.md)'),
  })
  const { all, exitCode } = await tutorial(signal, 'texts')
  expect(exitCode).toBe(1)
  // Links that lead nowhere, scripts that do not exist, and code from nowhere.
  const told = all.split('\n').filter((line) => line.startsWith(`${README}:`))
  expect(told.map((line) => line.replace(/^\S+ /, '')).sort()).toEqual(
    wrong.map(([, problem]) => problem).sort(),
  )
  // A new line in a program, with the piece of the README that lacks it.
  expect(all).toMatch(
    /^chapters\/04-config\/README\.md:\d+: lines of this piece are new, or gone, so it is a diff block$/m,
  )
  // A new public name of the core that no paragraph explains.
  expect(all).toMatch(
    /^packages\/core\/src\/messages\.ts:\d+: chapters\/06-slave-details\/README\.md does not explain idea$/m,
  )
  // A program that is gone, and no sentence says so.
  expect(all).toContain(
    'chapters/19-broadcast/src/webserver.ts: chapters/19-broadcast/README.md does not say that it is gone, in a sentence that links chapters/18-temperature/src/webserver.ts',
  )
})
