/**
 * What every program of every chapter promises about its start and its end. A chapter's tests call
 * this once; it makes the tests that fit the chapter's programs.
 */
import { mkdir } from 'node:fs/promises'
import { type ChapterCopy, type Running, test } from './harness.ts'

/** A line of a stack trace. */
const STACK_LINE = /^\s+at /

export interface Promises {
  /** The log file of each program. */
  logFiles: Record<string, string>
}

/** Makes the tests. */
export function everyProgramEndsWell({ logFiles }: Promises): void {
  const programs = Object.entries(logFiles)
  const hasSlave = 'slave' in logFiles

  /** Starts a program, and whatever it needs. */
  async function startProgram(chapter: ChapterCopy, program: string): Promise<Running> {
    if (program === 'slave') await chapter.standInMaster()
    const running = await chapter.run(program)
    await running.says(/Listening on|Connected to|going to sleep/)
    return running
  }

  for (const [program, logFile] of programs) {
    test(`SIGTERM ends the ${program} with exit code 0, and its last line is in the log file`, async ({
      chapter,
      expect,
    }) => {
      const running = await startProgram(chapter, program)
      await running.stop('SIGTERM')
      expect(running.exitCode).toBe(0)
      expect(running.messages.at(-1)).toMatch(/Stopped$/)
      expect((await chapter.log(logFile)).at(-1)).toMatchObject({ msg: 'Stopped', pid: running.pid })
    })

    test(`a log file that the ${program} cannot write is one line, and exit code 1`, async ({
      chapter,
      expect,
    }) => {
      await mkdir(`${chapter.folder}/${logFile}`)
      const running = await chapter.run(program)
      await running.ends()
      expect(running.exitCode).toBe(1)
      expect(running.lines).toHaveLength(1)
      expect(running.lines[0]).toMatch(/EISDIR/)
      expect(running.lines[0]).toContain(logFile)
    })
  }

  // As Ctrl-C does: a terminal signals every process of the group in its foreground.
  test('SIGINT to all processes of start leaves none, complete log files, and exit code 0', async ({
    chapter,
    expect,
  }) => {
    const cluster = await chapter.start()
    await cluster.says(hasSlave ? /Connected to/ : /going to sleep/)
    await cluster.stop('SIGINT', 'group')
    expect(cluster.exitCode).toBe(0)
    for (const [, logFile] of programs) {
      const last = (await chapter.log(logFile)).at(-1)
      expect(last?.['msg']).toBe('Stopped')
      expect(isAlive(Number(last?.['pid']))).toBe(false)
    }
  })

  if (!hasSlave) return

  test('a slave without a master says what to do, and ends with exit code 1', async ({ chapter, expect }) => {
    const slave = await chapter.run('slave')
    await slave.ends()
    expect(slave.exitCode).toBe(1)
    expect(slave.messages.at(-1)).toMatch(/^Nobody listens on 127\.0\.0\.1:\d+\. Is the master running\?$/)
    expect(slave.lines.filter((line) => STACK_LINE.test(line))).toEqual([])
  })

  test('a slave whose master goes away says so, and ends with exit code 1', async ({ chapter, expect }) => {
    const master = await chapter.standInMaster()
    const slave = await chapter.run('slave')
    await slave.says(/Connected to/)
    await master.receives(1)
    master.close()
    await slave.ends()
    expect(slave.exitCode).toBe(1)
    expect(slave.messages.at(-1)).toMatch(
      /^Lost the connection to the master at 127\.0\.0\.1:\d+: the other end (closed|reset) it\.$/,
    )
  })

  test('a master whose port is taken says so, and ends with exit code 1', async ({ chapter, expect }) => {
    await chapter.standInMaster()
    const master = await chapter.run('master')
    await master.ends()
    expect(master.exitCode).toBe(1)
    expect(master.lines).toHaveLength(1)
    expect(master.messages[0]).toMatch(/^Port \d+ is taken on 127\.0\.0\.1: /)
  })

  test('a console that goes away ends a program quietly', async ({ chapter, expect }) => {
    await chapter.standInMaster()
    const slave = await chapter.run('slave')
    await slave.says(/Connected to/)
    slave.closeConsole()
    slave.signal('SIGTERM') // its next line meets the closed console
    await slave.ends()
    expect(slave.exitCode).toBe(0)
  })
}

/** True while there is a process with this pid. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
