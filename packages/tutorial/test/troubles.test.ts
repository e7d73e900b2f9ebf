/**
 * What readers of tools like this one have had trouble with: settings for git, no git, an archive in place of a
 * clone, what editors leave in a folder, files renamed and deleted, a pager that is not there, a full disk. With real
 * processes, in a copy of the repository.
 */
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa, execaSync } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findChapter } from '../src/chapters/chapters.ts'
import { diffText } from '../src/compare/diff.ts'
import { hasPython } from '../src/harness/python.ts'
import { runInTerminal } from '../src/record/terminal.ts'
import { ROOT, repositoryFiles } from '../src/workspace/repository.ts'

/** A folder of this test's own. */
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'troubles-')))
/** An unpacked archive of the repository. It is no clone, and lies in a repository that ignores everything. */
const archive = join(folder, 'archive')
const TUTORIAL = join(archive, 'packages/tutorial/bin/tutorial.js')
const chapter = join(archive, 'chapters/05-json')
let socket: Server

/** Everything in it either changes what git calls a difference, or makes git fail. */
const SETTINGS = `[diff]
  orderFile = /does/not/exist
  interHunkContext = 5
  context = 1
  algorithm = patience
  indentHeuristic = false
  noprefix = true
  mnemonicPrefix = true
  renames = false
  suppressBlankEmpty = true
  colorMoved = zebra
  wordRegex = .
  ignoreSubmodules = all
  submodule = log
[core]
  quotePath = true
  autocrlf = true
  fsmonitor = /does/not/exist
  attributesFile = ${join(folder, 'attributes')}
  excludesFile = ${join(folder, 'attributes')}
[status]
  showUntrackedFiles = no
`

/** What a hook, or a shell that works in another repository, has in its environment. */
const OF_A_HOOK = {
  GIT_CONFIG_GLOBAL: join(folder, 'settings'),
  GIT_DIR: join(folder, 'other/.git'),
  GIT_WORK_TREE: '/does/not/exist',
  GIT_INDEX_FILE: '/does/not/exist',
  GIT_PREFIX: 'chapters/',
  GIT_TRACE: '1',
  GIT_DIFF_OPTS: '--unified=0',
}

beforeAll(async () => {
  for (const file of repositoryFiles(ROOT).filter((file) => !file.startsWith('docs/recordings/'))) {
    mkdirSync(dirname(join(archive, file)), { recursive: true })
    cpSync(join(ROOT, file), join(archive, file), { verbatimSymlinks: true })
  }
  const packages = repositoryFiles(ROOT).flatMap(
    (file) => /^((?:packages|chapters)\/[^/]+)\/package\.json$/.exec(file)?.[1] ?? [],
  )
  for (const path of packages)
    symlinkSync(realpathSync(join(ROOT, path, 'node_modules')), join(archive, path, 'node_modules'))
  execaSync('git', ['init', '--quiet', folder])
  execaSync('git', ['init', '--quiet', join(folder, 'other')])
  writeFileSync(join(folder, 'other/.git/config'), '[diff]\n  external = /does/not/exist\n')
  writeFileSync(join(folder, '.gitignore'), '*\n')
  writeFileSync(join(folder, 'settings'), SETTINGS)
  writeFileSync(join(folder, 'broken'), '[diff\n')
  writeFileSync(join(folder, 'attributes'), '*.ts binary\n*.cfg -diff\n')
  socket = await leaveThingsIn(chapter)
})

afterAll(() => {
  socket.close()
  rmSync(folder, { recursive: true })
})

/** Leaves in a chapter, and in the core, what editors and other tools do, and what no tool can read. */
async function leaveThingsIn(chapter: string): Promise<Server> {
  symlinkSync('reader@host.1234:1700000000', join(chapter, 'src/.#slave.ts'))
  symlinkSync('reader@host.1234:1700000000', join(archive, 'packages/core/src/.#logging.ts'))
  symlinkSync('loop.ts', join(chapter, 'src/loop.ts'))
  symlinkSync(folder, join(chapter, 'src/elsewhere'))
  mkdirSync(join(chapter, 'src/folder.ts'))
  mkdirSync(join(chapter, 'src/vendor/.git'), { recursive: true })
  writeFileSync(join(chapter, 'src/vendor/theirs.ts'), 'theirs()\n')
  writeFileSync(join(chapter, 'src/slave.ts~'), 'of an editor\n')
  writeFileSync(join(chapter, 'src/.slave.ts.swp'), 'of an editor\n')
  writeFileSync(join(chapter, 'master.log'), 'of a run\n')
  mkdirSync(join(chapter, 'src/private'))
  writeFileSync(join(chapter, 'src/private/.gitignore'), '*\n')
  writeFileSync(join(chapter, 'src/private/notes.ts'), 'notes()\n')
  execaSync('mkfifo', [join(chapter, 'src/pipe.ts')])
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(join(chapter, 'src/sock.ts'), resolve))
  return server
}

/** Runs the reader's tool in the archive. */
function tutorial(args: string[], env: Record<string, string> = {}) {
  return execa(process.execPath, [TUTORIAL, ...args], {
    cwd: archive,
    reject: false,
    timeout: 50_000,
    env: { INIT_CWD: undefined, DEBUG: undefined, ...env },
  })
}

/** What has changed, and what explains it: without hunks' headers, and without the lines around. */
function changesIn(text: string): string[] {
  return text.split('\n').filter((line) => /^([+-]| {4}# |rename|==)/.test(line))
}

const changes = changesIn(diffText(findChapter('4'), findChapter('5'), {}))

test('no setting for git, and nothing that lies about in a folder, changes what is compared', async () => {
  const [diff, stat, where] = await Promise.all([
    tutorial(['diff', '4', '5'], OF_A_HOOK),
    tutorial(['diff', '5', '--stat'], OF_A_HOOK),
    tutorial(['where', 'chapters/05-json'], OF_A_HOOK),
  ])
  expect(changesIn(diff.stdout)).toEqual(changes)
  expect(stat.stdout).toBe(diffText(findChapter('4'), findChapter('5'), { stat: true }))
  expect(where.stdout).toBe('chapters/05-json has the same programs as 05-json.')
  for (const { exitCode, stderr } of [diff, stat, where]) expect([exitCode, stderr]).toEqual([0, ''])
})

test('without git everything is compared all the same, and a line says what needs it', async () => {
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  symlinkSync(process.execPath, join(bin, 'node'))
  const { stdout, stderr, exitCode } = await tutorial(['diff', '4', '5'], {
    PATH: bin,
    GIT_EXTERNAL_DIFF: 'my-tool',
  })
  expect(exitCode).toBe(0)
  expect(changesIn(stdout)).toEqual(changes)
  expect(stderr).toBe(
    'Shown without your settings for git: git is not installed (sudo apt install git, or https://git-scm.com/downloads).',
  )
})

test.skipIf(!hasPython())(
  'neither a pager that is not there nor settings that git refuses lose the diff',
  async () => {
    let output = ''
    const exitCode = await runInTerminal(`"${process.execPath}" packages/tutorial/bin/tutorial.js diff 4 5`, {
      columns: 100,
      rows: 24,
      cwd: archive,
      env: {
        PATH: process.env['PATH'] ?? '',
        GIT_CONFIG_GLOBAL: join(folder, 'broken'),
        GIT_PAGER: 'no-such-pager -R',
        NO_COLOR: '1',
      },
      onOutput: (text) => {
        output += text
      },
    })
    const lines = output.split('\r\n')
    expect(changesIn(lines.join('\n'))).toEqual(changes)
    expect(lines.slice(-3)).toEqual([
      'Shown without the pager "no-such-pager -R" (GIT_PAGER), which ended with exit code 127: there is no such program.',
      expect.stringMatching(
        /^Shown without your settings for git: git config failed \(fatal: bad config line 1 in file /,
      ),
      '',
    ])
    expect(exitCode).toBe(0)
  },
)

test("a diff tool that fails costs a line, and a chapter's files are compared as they stand", async () => {
  rmSync(join(chapter, 'README.md'))
  rmSync(join(chapter, 'rpicluster.cfg'))
  cpSync(join(chapter, 'src/slave.ts'), join(chapter, 'src/"my" wörker\n.ts'))
  rmSync(join(chapter, 'src/slave.ts'))
  writeFileSync(join(chapter, 'src/extra.ts'), 'export const extra = 1\n')
  writeFileSync(join(chapter, 'src/broken.ts'), 'const = ;\n')
  // A regular file that nobody can read, whoever asks.
  symlinkSync('/proc/self/mem', join(chapter, 'src/memory.ts'))

  const [diff, practice, where] = await Promise.all([
    tutorial(['diff', '4', '5'], { GIT_EXTERNAL_DIFF: 'exit 3;' }),
    tutorial(['practice', '5']),
    tutorial(['where', 'chapters/05-json']),
  ])
  expect(diff.exitCode).toBe(0)
  expect(diff.stdout).toMatch(/^ {2}removed {2}rpicluster\.cfg /m)
  expect(diff.stdout).toMatch(/^ {2}moved {4}src\/slave\.ts -> "src\/\\"my\\" wörker\\n\.ts" /m)
  expect(diff.stdout).toMatch(/^ {2}added {4}src\/extra\.ts +\+1 +-0$/m)
  expect(diff.stdout).not.toContain('src/memory.ts')
  expect(diff.stderr.split('\n')).toEqual([
    expect.stringMatching(
      /^Shown without your settings for git: git diff failed \(fatal: external diff died/,
    ),
    expect.stringMatching(/\/05-json\/src\/memory\.ts is left out, because it cannot be read \(E\w+\)\.$/),
  ])
  expect([practice.exitCode, practice.stderr]).toEqual([0, ''])
  expect(where.exitCode).toBe(0)
  expect(where.stdout).toMatch(/^chapters\/05-json (is nearest to|has the same programs as) 05-json/)

  const hint = await tutorial(['practice', '5', '--hint'])
  expect(hint.exitCode).toBe(0)
  expect(hint.stdout).toMatch(/^practice\/05-json: \d changes to go\./)
})

test('what ends a command is told in a line: a full disk, a file in the way, a chapter that is being written', async () => {
  const disk = openSync('/dev/full', 'w')
  const full = spawnSync(process.execPath, [TUTORIAL, 'chapters'], {
    stdio: ['ignore', disk, 'pipe'],
    encoding: 'utf8',
  })
  closeSync(disk)
  expect([full.status, full.stderr]).toEqual([
    2,
    'That did not work: ENOSPC: no space left on device, write.\n',
  ])

  rmSync(join(archive, 'practice'), { recursive: true, force: true })
  writeFileSync(join(archive, 'practice'), '')
  const practice = await tutorial(['practice', '5'])
  writeFileSync(join(chapter, 'package.json'), '{ "name":')
  const chapters = await tutorial(['chapters'])
  expect([practice.exitCode, practice.stdout, practice.stderr]).toEqual([
    2,
    '',
    'practice is a file, and a practice folder needs its name. Move it away.',
  ])
  expect(chapters.exitCode).toBe(2)
  expect(chapters.stderr).toMatch(/^Cannot read \S+\/05-json\/package\.json: .+$/)
})
