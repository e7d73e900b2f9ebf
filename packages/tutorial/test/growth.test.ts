import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base, describe, expect } from 'vitest'
import { canBeCopied } from '../src/chapters/copied.ts'
import { growthProblems } from '../src/chapters/growth.ts'

const ROOT = join(import.meta.dirname, '../../..')

const test = base.extend<{ copy: string }>({
  copy: async ({ task }, use) => {
    const folder = await mkdtemp(join(tmpdir(), `${task.id}-`))
    for (const part of ['chapters', 'packages/core/src']) {
      await cp(join(ROOT, part), join(folder, part), {
        recursive: true,
        filter: (path) => !path.includes('node_modules') && canBeCopied(path),
      })
    }
    await use(folder)
    await rm(folder, { recursive: true })
  },
})

test('no chapter imports what is younger than itself, or past what the core exports', () => {
  expect(growthProblems(ROOT).join('\n')).toBe('')
})

describe('in a copy of the repository', () => {
  const cases = [
    {
      file: 'chapters/03-sockets/src/slave.ts',
      add: "import '@rpi-cluster/core/config'",
      problem: 'chapters/03-sockets/src/slave.ts:1 imports @rpi-cluster/core/config, born in 04',
    },
    {
      file: 'chapters/06-slave-details/src/master.ts',
      add: "import '@rpi-cluster/core/src/logging.ts'",
      problem:
        "chapters/06-slave-details/src/master.ts:1 imports @rpi-cluster/core/src/logging.ts, past the core's exports",
    },
    {
      file: 'chapters/05-json/src/slave.ts',
      add: "export * from '../../../packages/core/src/messages.ts'",
      problem:
        'chapters/05-json/src/slave.ts:1 imports ../../../packages/core/src/messages.ts, outside its own folder',
    },
    {
      file: 'chapters/04-config/src/master.ts',
      add: "await import('@rpi-cluster/core/messages')",
      problem: 'chapters/04-config/src/master.ts:1 imports @rpi-cluster/core/messages, born in 06',
    },
    {
      file: 'chapters/02-packaging/src/master.ts',
      add: "import '@rpi-cluster/tutorial/harness'",
      problem:
        'chapters/02-packaging/src/master.ts:1 imports @rpi-cluster/tutorial/harness, which only tests may use',
    },
    {
      file: 'packages/core/src/logging.ts',
      add: "import './sockets.ts'",
      problem: 'packages/core/src/logging.ts:1 imports ./sockets.ts, born in 03, and is itself born in 02',
    },
  ]
  for (const { file, add, problem } of cases) {
    test(`${add} in ${file} is told`, async ({ copy }) => {
      await writeFile(join(copy, file), `${add}\n${await readFile(join(copy, file), 'utf8')}`)
      expect(growthProblems(copy)).toEqual([problem])
    })
  }

  test('a module without @since is told', async ({ copy }) => {
    await writeFile(join(copy, 'packages/core/src/new-idea.ts'), 'export const idea = 1\n')
    expect(growthProblems(copy)).toEqual([
      'packages/core/src/new-idea.ts has no line " * @since 0.NN.0" that says which chapter brought it',
    ])
  })
})
