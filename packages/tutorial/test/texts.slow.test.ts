/** What a writer of these texts is told when something in them is no longer true, shown in a clean copy of the repository. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CleanCopy } from '../src/checks/console-blocks.ts'

const LONG = 120_000

let copy: CleanCopy
beforeAll(async () => {
  copy = await CleanCopy.make()
}, LONG)
afterAll(() => copy.dispose())

describe('in a clean copy', () => {
  const README = 'chapters/06-slave-details/README.md'

  /** Changes a file of the copy while something is done there. */
  async function changed(
    file: string,
    change: (text: string) => string,
    during: () => Promise<void>,
  ): Promise<void> {
    const path = join(copy.folder, file)
    const readme = await readFile(join(copy.folder, README), 'utf8')
    const before = await readFile(path, 'utf8')
    const after = change(before)
    expect(after).not.toBe(before)
    await writeFile(path, after)
    try {
      await during()
    } finally {
      await writeFile(join(copy.folder, README), readme) // which sync may have changed
      await writeFile(path, before)
    }
  }

  const tutorial = (...args: string[]) =>
    execa(process.execPath, [join(copy.folder, 'packages/tutorial/bin/tutorial.js'), ...args], {
      cwd: copy.folder,
      reject: false,
      all: true,
    })

  test(
    'one changed character of a source is told, with the README that shows it, and sync mends it',
    async () => {
      await changed(
        'chapters/06-slave-details/src/slave.ts',
        (text) => text.replace('I am still alive', 'I am still Alive'),
        async () => {
          const check = await tutorial('texts')
          expect(check.exitCode).toBe(1)
          expect(check.all).toMatch(
            /^chapters\/06-slave-details\/README\.md:\d+: the block from chapters\/06-slave-details\/src\/slave\.ts is stale \(pnpm sync mends it\): its line \d is /m,
          )
          const sync = await tutorial('sync', '--no-console')
          expect(sync.all).toContain(README)
          expect((await tutorial('texts')).all).toBe('')
          const synced = await readFile(join(copy.folder, README), 'utf8')
          expect(synced).toContain("+  await send(master, 'message', `I am still Alive, client: ")
          expect(synced).not.toContain("send(master, 'message', `I am still alive")
        },
      )
    },
    LONG,
  )

  test(
    'a new line in a program is told, with the piece of the README that lacks it',
    async () => {
      await changed(
        'chapters/04-config/src/slave.ts',
        (text) => `${text}log.info('Done')\n`,
        async () => {
          const { all, exitCode } = await tutorial('texts')
          expect(exitCode).toBe(1)
          expect(all).toMatch(
            /^chapters\/04-config\/README\.md:\d+: lines of this piece are new, or gone, so it is a diff block$/m,
          )
        },
      )
    },
    LONG,
  )

  test(
    'a new public name of the core that no paragraph explains is told',
    async () => {
      await changed(
        'packages/core/src/messages.ts',
        (text) => `${text}\n/** New. */\nexport const idea = 1\n`,
        async () => {
          const { all } = await tutorial('texts')
          expect(all).toMatch(
            /^packages\/core\/src\/messages\.ts:\d+: chapters\/06-slave-details\/README\.md does not explain idea$/m,
          )
        },
      )
    },
    LONG,
  )

  test(
    'a program that is gone, and no sentence says so, is told',
    async () => {
      await changed(
        'chapters/19-broadcast/README.md',
        (text) => text.replace('](../18-temperature/src/webserver.ts)', '](../18-temperature/README.md)'),
        async () => {
          const { all } = await tutorial('texts')
          expect(all).toContain(
            'chapters/19-broadcast/src/webserver.ts: chapters/19-broadcast/README.md does not say that it is gone, in a sentence that links chapters/18-temperature/src/webserver.ts',
          )
        },
      )
    },
    LONG,
  )

  test(
    'links that lead nowhere, scripts that do not exist, and code from nowhere are told',
    async () => {
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
      const additions = wrong.map(([addition]) => addition).join('\n\n')
      await changed(
        README,
        (text) => `${text}\n${additions}\n`,
        async () => {
          const told = (await tutorial('texts')).all
            .split('\n')
            .filter((line) => line.startsWith(`${README}:`))
          expect(told.map((line) => line.replace(/^\S+ /, '')).sort()).toEqual(
            wrong.map(([, problem]) => problem).sort(),
          )
        },
      )
    },
    LONG,
  )
})
