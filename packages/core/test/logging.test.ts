import { mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createLogger } from '../src/logging.ts'
import { jsonLines, start, tempFolder } from './support.ts'

const ISO_TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)

test('console and file: a readable line there, JSON here, and nothing in them that a terminal obeys', async () => {
  const folder = tempFolder()
  const program = start('program.ts', [folder, 'logs all sorts of things, and exits'])
  expect(await program.ended, program.stderr).toBe(3)
  const shown = program.stdout.split('\n')
  const lines = jsonLines(join(folder, 'program.log'))

  // The console shows time, level, name and message, from level info on.
  expect(shown[0]).toMatch(/^\[\d\d:\d\d:\d\d\] INFO \(program\): A plain line$/)
  expect(program.stdout).not.toContain('Only for the file')
  expect(program.stdout).not.toContain(String(program.child.pid))

  // The file has level debug as well, and who wrote the line.
  const { pid } = program.child
  expect(lines.slice(0, 2)).toEqual([
    { level: 'debug', time: ISO_TIME, pid, thread: 0, name: 'program', msg: 'Only for the file' },
    { level: 'info', time: ISO_TIME, pid, thread: 0, name: 'program', msg: 'A plain line' },
  ])

  // Control characters are shown as their codes, and a forged line stays in its own.
  expect(shown[1]).toMatch(
    /WARN \(program\): Red: \\u001b\[31m, one byte: \\u009b31m, a forged\\nline, and \\u202egnp.exe$/,
  )
  expect(program.stdout + readFileSync(join(folder, 'program.log'), 'utf8')).not.toMatch(
    /(?!\n)[\p{Cc}\p{Bidi_Control}]/u,
  )
  expect(lines[2]?.['msg']).toBe('Red: \x1b[31m, one byte: \x9b31m, a forged\nline, and \u202egnp.exe')

  // What is long is shortened in both, and its length is said.
  const long = `Long: ${'a'.repeat(994)}... (100006 characters in all)`
  expect(shown[2]).toContain(long)
  expect(lines[3]?.['msg']).toBe(long)

  // What is nested deeply is logged somehow, and hurts nothing.
  for (const depth of [100, 1000, 2000, 4000, 400_000]) {
    expect(lines.map(({ msg }) => msg)).toContain(`Deep: ${depth}`)
    expect(program.stdout).toContain(`Deep: ${depth}`)
  }

  // The last line before an exit is in both.
  expect(program.stdout).toMatch(/The last line\n$/)
  expect(lines.at(-1)?.['msg']).toBe('The last line')
})

test.skipIf(process.platform !== 'linux')(
  'in the journal of systemd a line has its level in front, and no time: both stand there already',
  async () => {
    const folder = tempFolder()
    const program = start('program.ts', [folder, 'logs all sorts of things, and exits'], { journal: true })
    expect(await program.ended, program.stderr).toBe(3)
    const [plain, warning] = program.stdout.split('\n')
    expect(plain).toBe('<6>INFO (program): A plain line')
    expect(warning).toMatch(/^<4>WARN \(program\): Red: /)
    expect(jsonLines(join(folder, 'program.log'))[1]).toMatchObject({ msg: 'A plain line', time: ISO_TIME })
  },
)

test('a program that has got another console than its service is not in the journal', async () => {
  const env = { ...process.env, JOURNAL_STREAM: '1:2' }
  const program = start('program.ts', [tempFolder(), 'logs all sorts of things, and exits'], { env })
  await program.ended
  expect(program.stdout).toMatch(/^\[\d\d:\d\d:\d\d\] INFO/)
})

test('the file lies where systemd has made a folder for it', () => {
  const folder = tempFolder()
  vi.stubEnv('LOGS_DIRECTORY', `${folder}:/nowhere`)
  onTestFinished(() => void vi.unstubAllEnvs())
  createLogger('elsewhere').info('here')
  expect(jsonLines(join(folder, 'elsewhere.log'))).toMatchObject([{ msg: 'here' }])
})

test('of a flood of warnings both keep ten and a count, before the last line, and all of anything else', async () => {
  const folder = tempFolder()
  const program = start('program.ts', [folder, 'is flooded with warnings, and is stopped'])
  expect(await program.ended, program.stderr).toBe(0)
  const shown = program.stdout.replaceAll(/^.*?\(program\): |^\s+n: \d+\n/gm, '').split('\n')
  const messages = jsonLines(join(folder, 'program.log')).map(({ msg }) => msg)
  expect(shown.slice(0, -1)).toEqual(messages)
  expect(messages.filter((message) => /^Too hot: \d+$/.test(String(message)))).toHaveLength(10)
  expect(messages.filter((message) => /^On fire: \d+$/.test(String(message)))).toHaveLength(10)
  expect(messages.filter((message) => /^Fine: \d+$/.test(String(message)))).toHaveLength(100)
  expect(messages.slice(-3)).toEqual([
    'Too hot: 90 more warnings that begin so, within 5 s',
    'On fire: 90 more warnings that begin so, within 5 s',
    'Stopped',
  ])
})

test('each line is in both at once: the last one before a program is killed too', async () => {
  const folder = tempFolder()
  const program = start('program.ts', [folder, 'is killed right after a line'])
  expect(await program.ended).toBe('SIGKILL')
  expect(program.stdout).toMatch(/The last line\n$/)
  expect(jsonLines(join(folder, 'program.log'))).toMatchObject([{ msg: 'The last line' }])
})

test("the file lies in the program's package folder, whatever the working directory", async () => {
  const chapter = realpathSync(tempFolder())
  mkdirSync(join(chapter, 'src'))
  writeFileSync(join(chapter, 'package.json'), '{}')
  const script = join(chapter, 'src', 'master.mts')
  const logging = new URL('../src/logging.ts', import.meta.url).href
  writeFileSync(script, `import { createLogger } from '${logging}'\ncreateLogger('master').info('Here')\n`)

  const program = start(script, [], { cwd: tmpdir() })
  expect(await program.ended, program.stderr).toBe(0)
  expect(jsonLines(join(chapter, 'master.log'))).toMatchObject([{ msg: 'Here' }])
})

test('a log file that cannot be written ends the program with one line and exit code 1', async () => {
  const folder = tempFolder()
  mkdirSync(join(folder, 'program.log'))
  const program = start('program.ts', [folder, 'works until it is stopped'])
  expect(await program.ended).toBe(1)
  expect(program.stdout + program.stderr).toBe(
    `Cannot write the log file ${folder}/program.log (EISDIR: illegal operation on a directory). Move away what is there, or give this user the right to write it.\n`,
  )
})

test('the file rotates at maxFileBytes, and keepFiles are kept', () => {
  const folder = tempFolder()
  const log = createLogger('a', { folder, maxFileBytes: 1000, keepFiles: 2 })
  for (let line = 0; line < 50; line += 1) log.debug({ line }, 'A line')
  expect(readdirSync(folder)).toHaveLength(3)
  const lines = readdirSync(folder).flatMap((name) => jsonLines(join(folder, name)))
  expect(lines.map(({ line }) => line)).toContain(49)
})

test('an error is logged with its stack', () => {
  const folder = tempFolder()
  createLogger('a', { folder }).debug({ err: new RangeError('too far') }, 'It failed')
  expect(jsonLines(join(folder, 'a.log'))).toMatchObject([
    {
      msg: 'It failed',
      err: { type: 'RangeError', message: 'too far', stack: expect.stringContaining('logging.test.ts') },
    },
  ])
})

describe("a logger's name", () => {
  test.each(['', '.', '..', '../up', 'a/b', 'a b', 'a\0', '.hidden'])('cannot be %j', (name) => {
    expect(() => createLogger(name, { folder: tempFolder() })).toThrow(TypeError)
  })

  test.each(['master', 'slave-1', 'node_2.test'])('can be %s', (name) => {
    const folder = tempFolder()
    createLogger(name, { folder })
    expect(readdirSync(folder)).toEqual([`${name}.log`])
  })
})
