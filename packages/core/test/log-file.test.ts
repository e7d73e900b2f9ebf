import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { OperationalError } from '../src/lifecycle.ts'
import { LogFile, type LogFileOptions } from '../src/log-file.ts'
import { jsonLines, start, tempFolder } from './support.ts'

test('appends each line at once, to what is there already', () => {
  const { file, path } = logFile()
  file.write('one\n')
  expect(readFileSync(path, 'utf8')).toBe('one\n')
  new LogFile(path).write('two\n')
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n')
})

test('makes its folder when there is none', () => {
  const path = join(tempFolder(), 'deep', 'down', 'a.log')
  new LogFile(path).write('one\n')
  expect(readFileSync(path, 'utf8')).toBe('one\n')
})

test('says in one line why it cannot be opened', () => {
  const path = join(tempFolder(), 'a.log')
  mkdirSync(path)
  expect(() => new LogFile(path)).toThrow(
    new OperationalError(
      `Cannot write the log file ${path} (EISDIR: illegal operation on a directory). Move away what is there, or give this user the right to write it.`,
    ),
  )
})

describe('a link', () => {
  test('rotates where the file is that it leads to, and stays', () => {
    const { disk, folder, path } = linkedLogFile('on-the-disk.log')
    const file = new LogFile(path, { maxFileBytes: 10, keepFiles: 2 })
    for (let line = 10; line < 15; line += 1) file.write(`line ${line}\n`)
    expect(readdirSync(folder)).toEqual(['a.log'])
    expect(readlinkSync(path)).toBe(join(disk, 'on-the-disk.log'))
    expect(contents(disk)).toEqual({
      'on-the-disk.3.log': 'line 12\n',
      'on-the-disk.4.log': 'line 13\n',
      'on-the-disk.log': 'line 14\n',
    })
  })

  test('that leads over other links, by a relative path, to a file that is not there yet is followed', () => {
    const { disk, folder, path } = linkedLogFile('real.log')
    rmSync(path)
    symlinkSync(disk, join(folder, 'usb'))
    symlinkSync('real.log', join(disk, 'link'))
    symlinkSync('usb/link', path)
    const file = new LogFile(path, { maxFileBytes: 10 })
    for (let line = 10; line < 12; line += 1) file.write(`line ${line}\n`)
    expect(readdirSync(folder).sort()).toEqual(['a.log', 'usb'])
    expect(readdirSync(disk).sort()).toEqual(['link', 'real.1.log', 'real.log'])
  })

  test('that is led elsewhere is followed with the next line', () => {
    const { folder, path } = linkedLogFile('real.log')
    const file = new LogFile(path)
    file.write('one\n')
    rmSync(path)
    symlinkSync('other', path)
    file.write('two\n')
    expect(readFileSync(join(folder, 'other'), 'utf8')).toBe('two\n')
  })

  test('that leads to a folder that is not there, as to a disk that is not mounted, is one line', () => {
    const { disk, path } = linkedLogFile('real.log')
    rmSync(disk, { recursive: true })
    expect(() => new LogFile(path)).toThrow(
      new OperationalError(
        `Cannot write the log file ${path} (it is a link to ${disk}/real.log, whose folder is not there). Move away what is there, or give this user the right to write it.`,
      ),
    )
  })

  test('whose disk goes away and comes back lacks the lines between', () => {
    const { disk, path } = linkedLogFile('real.log')
    const file = new LogFile(path)
    const troubles: string[] = []
    file.onTrouble = (trouble) => troubles.push(trouble)
    file.write('one\n')
    renameSync(disk, `${disk}-gone`)
    for (const line of ['two', 'three']) file.write(`${line}\n`)
    renameSync(`${disk}-gone`, disk)
    file.write('four\n')
    expect(readFileSync(join(disk, 'real.log'), 'utf8')).toBe('one\nfour\n')
    expect(troubles).toEqual([
      `Cannot write the log file ${path} (it is a link to ${disk}/real.log, whose folder is not there). Lines go to the console only until it can be written again.`,
      `The log file ${path} can be written again. It lacks 2 lines.`,
    ])
  })

  test.each(['folder', 'itself'])('that leads to a %s is one line', (target) => {
    const { disk, path } = linkedLogFile('real.log')
    rmSync(path)
    symlinkSync(target === 'folder' ? disk : path, path)
    const why =
      target === 'folder'
        ? 'EISDIR: illegal operation on a directory'
        : 'ELOOP: too many symbolic links encountered'
    expect(() => new LogFile(path)).toThrow(
      `Cannot write the log file ${path} (${why}). Move away what is there`,
    )
  })

  function linkedLogFile(name: string) {
    const [disk, folder] = [realpathSync(tempFolder()), tempFolder()]
    const path = join(folder, 'a.log')
    symlinkSync(join(disk, name), path)
    return { disk, folder, path }
  }
})

describe('what is no file', () => {
  test('a pipe is one line, whether somebody reads it or not', () => {
    const path = join(tempFolder(), 'a.log')
    execFileSync('mkfifo', [path])
    const refusal = `Cannot write the log file ${path} (it is a pipe). Move away what is there`
    expect(() => new LogFile(path)).toThrow(refusal)
    const reader = openSync(path, 'r+')
    expect(() => new LogFile(path)).toThrow(refusal)
    closeSync(reader)
  })

  test('a socket is one line', async () => {
    const path = join(tempFolder(), 'a.log')
    const server = createServer().listen(path)
    await once(server, 'listening')
    expect(() => new LogFile(path)).toThrow(`Cannot write the log file ${path} (it is a socket). `)
    server.close()
  })

  test('a pipe that comes into the place of a file is as a full disk', () => {
    const { file, path } = logFile()
    const troubles: string[] = []
    file.onTrouble = (trouble) => troubles.push(trouble)
    file.write('one\n')
    rmSync(path)
    execFileSync('mkfifo', [path])
    file.write('two\n')
    expect(troubles).toEqual([
      `Cannot write the log file ${path} (it is a pipe). Lines go to the console only until it can be written again.`,
    ])
  })

  test('/dev/null takes every line', () => {
    const path = join(tempFolder(), 'a.log')
    symlinkSync('/dev/null', path)
    const file = new LogFile(path, { maxFileBytes: 1 })
    file.onTrouble = (trouble) => expect.unreachable(trouble)
    for (const line of ['one', 'two']) file.write(`${line}\n`)
  })
})

describe('rotation', () => {
  test('lets no file grow past its limit, and loses no line', () => {
    const { file, folder } = logFile({ maxFileBytes: 30, keepFiles: 100 })
    for (let line = 10; line < 30; line += 1) file.write(`line ${line}\n`) // 8 bytes each, 3 a file
    expect(contents(folder)).toEqual({
      'a.1.log': 'line 10\nline 11\nline 12\n',
      'a.2.log': 'line 13\nline 14\nline 15\n',
      'a.3.log': 'line 16\nline 17\nline 18\n',
      'a.4.log': 'line 19\nline 20\nline 21\n',
      'a.5.log': 'line 22\nline 23\nline 24\n',
      'a.6.log': 'line 25\nline 26\nline 27\n',
      'a.log': 'line 28\nline 29\n',
    })
  })

  test.each([0, 1, 2])('keeps the newest %d files, and leaves files of other names alone', (keepFiles) => {
    const { file, folder, path } = logFile({ maxFileBytes: 10, keepFiles })
    const others = ['a.x.log', 'a.01.log', 'ab.1.log', 'a.1.log.gz']
    for (const name of others) new LogFile(join(folder, name)).write('mine\n')
    for (let line = 10; line < 25; line += 1) file.write(`line ${line}\n`)
    const kept = ['a.13.log', 'a.14.log'].slice(2 - keepFiles)
    expect(readdirSync(folder).sort()).toEqual([...others, ...kept, 'a.log'].sort())
    expect(readFileSync(path, 'utf8')).toBe('line 24\n')
  })

  test('writes a line that is larger than the limit, alone in its file', () => {
    const { file, folder } = logFile({ maxFileBytes: 10 })
    for (const line of ['a', 'b'.repeat(50), 'c']) file.write(`${line}\n`)
    expect(contents(folder)).toEqual({
      'a.1.log': 'a\n',
      'a.2.log': `${'b'.repeat(50)}\n`,
      'a.log': 'c\n',
    })
  })

  test('that cannot be is said once, and the file goes on growing', () => {
    const path = join(tempFolder(), `${'a'.repeat(251)}.log`) // one more character is more than a name may have
    const file = new LogFile(path, { maxFileBytes: 10 })
    const troubles: string[] = []
    file.onTrouble = (trouble) => troubles.push(trouble)
    for (const line of ['one', 'two', 'three', 'four']) file.write(`${line}\n`)
    expect(troubles).toEqual([
      `Cannot rotate the log file ${path} (ENAMETOOLONG: name too long). It goes on growing.`,
    ])
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\nthree\nfour\n')
  })

  test('by several processes at once, over a link, loses no line and breaks none', async () => {
    const [disk, folder] = [tempFolder(), tempFolder()]
    symlinkSync(join(disk, 'shared.log'), join(folder, 'shared.log'))
    const programs = Array.from({ length: 3 }, () => start('appends.ts', [folder, '150', '250']))
    for (const program of programs) expect(await program.ended, program.stderr).toBe(0)

    expect(readdirSync(folder)).toEqual(['shared.log'])
    const files = readdirSync(disk)
    const lines = files.flatMap((name) => jsonLines(join(disk, name)))
    expect(files.length).toBeGreaterThan(50)
    for (const { child } of programs) {
      const own = lines.filter(({ pid }) => pid === child.pid).map(({ line }) => Number(line))
      expect(own.sort((a, b) => a - b)).toEqual([...Array(150).keys()])
    }
  })
})

test('is made again when it was removed, and says so once', () => {
  const { file, folder, path } = logFile()
  const troubles: string[] = []
  file.onTrouble = (trouble) => troubles.push(trouble)
  file.write('one\n')
  rmSync(path)
  for (const line of ['two', 'three']) file.write(`${line}\n`)
  expect(contents(folder)).toEqual({ 'a.log': 'two\nthree\n' })
  expect(troubles).toEqual([
    `The log file ${path} was removed. It begins anew with the line before this one.`,
  ])
})

test('is made again when its folder was removed', () => {
  const folder = join(tempFolder(), 'logs')
  const file = new LogFile(join(folder, 'a.log'))
  file.onTrouble = () => {}
  file.write('one\n')
  rmSync(folder, { recursive: true })
  file.write('two\n')
  expect(contents(folder)).toEqual({ 'a.log': 'two\n' })
})

test('is made again when another process has renamed it, which is nothing to tell', () => {
  const { file, folder, path } = logFile()
  file.onTrouble = (trouble) => expect.unreachable(trouble)
  file.write('one\n')
  renameSync(path, join(folder, 'a.1.log'))
  file.write('two\n')
  expect(contents(folder)).toEqual({ 'a.1.log': 'one\n', 'a.log': 'two\n' })
})

test('on a full disk says so once, goes on, and says once how many lines it lacks', () => {
  const { file, path } = logFile()
  const troubles: string[] = []
  file.onTrouble = (trouble) => troubles.push(trouble)
  rmSync(path)
  symlinkSync('/dev/full', path)
  for (const line of ['one', 'two', 'three']) file.write(`${line}\n`)
  expect(troubles).toEqual([
    `Cannot write the log file ${path} (ENOSPC: no space left on device). Lines go to the console only until it can be written again.`,
  ])

  rmSync(path)
  for (const line of ['four', 'five']) file.write(`${line}\n`)
  expect(troubles.slice(1)).toEqual([`The log file ${path} can be written again. It lacks 3 lines.`])
  expect(readFileSync(path, 'utf8')).toBe('four\nfive\n')
})

test.skipIf(!canLimitFileSizes())(
  'a line that a full disk cut short does not spoil the next one',
  async () => {
    const path = join(tempFolder(), 'a.log')
    const program = start('fills-the-disk.ts', [path])
    expect(await program.ended, program.stderr).toBe(0)
    expect(program.stdout.split('\n')).toEqual([
      expect.stringContaining('Cannot write the log file'),
      `The log file ${path} can be written again. It lacks 3 lines.`,
      '',
    ])
    const lines = readFileSync(path, 'utf8').split('\n')
    expect(lines.slice(0, 9).map((line) => JSON.parse(line).line)).toEqual(
      [...Array(9).keys()].map((n) => n + 10),
    )
    expect(lines.slice(9)).toEqual([`{"line":19,"is":"${'x'.repeat(33)}`, '{"line":"after"}', ''])
  },
)

function logFile(options?: LogFileOptions) {
  const folder = tempFolder()
  const path = join(folder, 'a.log')
  return { folder, path, file: new LogFile(path, options) }
}

function contents(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  )
}

function canLimitFileSizes(): boolean {
  try {
    execFileSync('prlimit', ['--version'])
    return true
  } catch {
    return false
  }
}
