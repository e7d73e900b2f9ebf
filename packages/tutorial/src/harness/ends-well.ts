/**
 * What every program of every chapter promises about its start and its end. A chapter's tests call this
 * once; it makes the tests that fit the programs, as the chapter's package.json tells of them. A promise that
 * a program made in the chapter before as well is not tested again: what keeps it is the core.
 */
import { mkdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { expect } from 'vitest'
import { allChapters, CHAPTERS_FOLDER } from '../chapters/chapters.ts'
import { type Program, readCluster } from '../chapters/cluster.ts'
import { formerNames } from '../chapters/former-names.ts'
import { linesShown } from '../texts/lines-shown.ts'
import { normalized } from '../texts/normalized.ts'
import type { ChapterCopy } from './chapter-copy.ts'
import { HarnessError, isAlive, type Running, test } from './harness.ts'

/** A line of a stack trace. */
const STACK_LINE = /^\s+at /

/** Makes the tests. */
export function everyProgramEndsWell(): void {
  const { programs, chapter: name, before } = programsOfThisFile()
  /** Those that promise something which they did not promise in the chapter before. */
  const newly = (promise: (program: Program) => unknown) =>
    programs.filter((program) => {
      const earlier = before.find(({ name }) => name === program.name)
      return promise(program) && !(earlier && promise(earlier) === promise(program))
    })
  const listening = newly(({ listens }) => listens.length > 0)
  const connecting = newly(
    ({ connectsTo, withoutPeer, name }) =>
      connectsTo !== name && connectsTo && `${connectsTo} ${withoutPeer}`,
  )

  test('SIGTERM ends each program with exit code 0, and its last line is in its log file', async ({
    chapter,
    expect,
  }) => {
    const running: [Program, Running][] = []
    for (const program of programs) running.push([program, await runUntilReady(program, chapter)])
    // The last first: the others would take the end of a peer for a loss.
    for (const [{ name, log }, process] of running.toReversed()) {
      await process.stop('SIGTERM')
      expect([name, process.exitCode]).toEqual([name, 0])
      expect(process.messages.at(-1)).toMatch(/Stopped$/)
      expect((await chapter.log(log)).at(-1)).toMatchObject({ msg: 'Stopped', pid: process.pid })
    }
  })

  test('the whole cluster says what the README shows', async ({ chapter, expect }) => {
    const cluster = await chapter.start({ args: ['--for', '20s'] })
    await cluster.ends()
    expect(cluster.exitCode, cluster.lines.join('\n')).toBe(0)
    // How often each is said depends on how busy the machine is.
    const said = [...new Set(cluster.lines.map(normalized))].sort()
    const { lines, areAll } = linesShown(name)
    expect(said).toEqual(areAll ? lines : expect.arrayContaining(lines))
  })

  if (programs.length !== before.length) interruptedAsAGroup(programs)

  for (const { name, log } of newly(() => 'logs')) {
    test(`a log file that the ${name} cannot write is one line, and exit code 1`, async ({
      chapter,
      expect,
    }) => {
      await mkdir(join(chapter.folder, log))
      const running = await chapter.run(name)
      await running.ends()
      expect(running.exitCode).toBe(1)
      expect(running.lines).toHaveLength(1)
      expect(running.lines[0]).toMatch(/EISDIR/)
      expect(running.lines[0]).toContain(log)
    })
  }

  for (const { name, connectsTo } of listening) {
    test(`a ${name} whose port is taken says so, and ends with exit code 1`, async ({ chapter, expect }) => {
      const peer = programs.find((program) => program.name === connectsTo && program.name !== name)
      if (peer) await runUntilReady(peer, chapter)
      await chapter.standIn(name)
      const running = await chapter.run(name)
      await running.ends()
      expect(running.exitCode).toBe(1)
      if (connectsTo === undefined) expect(running.lines).toHaveLength(1)
      expect(running.messages.at(-1)).toMatch(/^Port \d+ is taken on 127\.0\.0\.1: /)
      expect(stackOf(running)).toEqual([])
    })
  }

  for (const program of connecting) {
    if (program.withoutPeer === 'ends') endsWithoutPeer(program)
    else waitsForPeer(program)
  }

  const last = connecting.at(-1)
  if (!last) return
  test('a console that goes away ends a program quietly', async ({ chapter, expect }) => {
    if (last.withoutPeer === 'ends') await chapter.standIn(last.connectsTo)
    const running = await chapter.run(last.name)
    if (last.withoutPeer === 'ends') await running.says(oneOf(last.ready))
    running.closeConsole()
    running.signal('SIGTERM') // its next line meets the closed console
    await running.ends()
    expect(running.exitCode).toBe(0)
  })
}

/** The promise of a whole cluster, which `start` keeps. */
function interruptedAsAGroup(programs: readonly Program[]): void {
  // As Ctrl-C does: a terminal signals every process of the group in its foreground.
  test('SIGINT to all processes of start leaves none, complete log files, and exit code 0', async ({
    chapter,
    expect,
  }) => {
    const cluster = await chapter.start()
    for (const { ready, copies } of programs) await cluster.says(oneOf(ready), copies)
    await cluster.stop('SIGINT', 'group')
    expect(cluster.exitCode).toBe(0)
    for (const { log } of programs) {
      const lines = await chapter.log(log)
      expect(lines.at(-1)?.['msg']).toBe('Stopped')
      expect(lines.map(({ pid }) => Number(pid)).filter(isAlive)).toEqual([])
    }
  })
}

/** The promises of a program that cannot do without the one that it connects to. */
function endsWithoutPeer({ name, ready, connectsTo: peer = '' }: Program): void {
  test(`a ${name} without its ${peer} says what to do, and ends with exit code 1`, async ({
    chapter,
    expect,
  }) => {
    const running = await chapter.run(name)
    await running.ends()
    expect(running.exitCode).toBe(1)
    expect(running.messages.at(-1)).toMatch(
      new RegExp(`^Nobody listens on 127\\.0\\.0\\.1:\\d+\\. Is the ${peer} running\\?$`),
    )
    expect(stackOf(running)).toEqual([])
  })

  test(`a ${name} whose ${peer} goes away says so, and ends with exit code 1`, async ({
    chapter,
    expect,
  }) => {
    const standIn = await chapter.standIn(peer)
    const running = await chapter.run(name)
    await running.says(oneOf(ready))
    await standIn.receives(1)
    standIn.close()
    await running.ends()
    expect(running.exitCode).toBe(1)
    expect(running.messages.at(-1)).toMatch(
      new RegExp(
        `^Lost the connection to the ${peer} at 127\\.0\\.0\\.1:\\d+: the other end (closed|reset) it\\.$`,
      ),
    )
  })
}

/** Lets a program that others find something of in its state, as their keys, live for a moment: it has made that then. */
async function haveKeys(name: string, chapter: ChapterCopy): Promise<void> {
  if (chapter.chapter.state !== 'shared') return
  const running = await chapter.run(name)
  const { ready } = chapter.chapter.programs.find((program) => program.name === name) ?? { ready: [] }
  await running.says(oneOf(ready))
  await running.stop()
}

/** The promise of a program that waits for the one that it connects to. */
function waitsForPeer({ name, connectsTo = '' }: Program): void {
  test(`a ${name} waits for its ${connectsTo}, also after it has lost it`, async ({ chapter, expect }) => {
    await haveKeys(connectsTo, chapter)
    const running = await chapter.run(name)
    for (const _ of ['the first', 'another']) {
      const peer = await chapter.standIn(connectsTo)
      await peer.receives(1)
      peer.close()
    }
    await running.stop('SIGTERM')
    expect(running.exitCode).toBe(0)
    expect(stackOf(running)).toEqual([])
  })
}

/**
 * The programs of the chapter that the running test file belongs to, and of the one before it, as they are called now.
 * In a reader's practice folder they are those of the chapter that is practised, whether they are there yet or not.
 */
function programsOfThisFile(): { chapter: string; programs: Program[]; before: Program[] } {
  const { testPath = '' } = expect.getState()
  const chapter = basename(dirname(dirname(testPath)))
  const cluster = readCluster(join(CHAPTERS_FOLDER, chapter))
  if (!cluster) throw new HarnessError(`chapters/${chapter}/package.json does not say what its cluster is`)
  const before = allChapters().findLast(({ name }) => name < chapter)
  const number = Number.parseInt(chapter, 10)
  const renamed = before ? formerNames(before, { ...cluster, number }, []) : []
  const names = new Map([...renamed].map(([now, then]) => [then, now]))
  const named = (program: string) => names.get(program) ?? program
  const own = (before?.programs ?? []).map(({ name, connectsTo, ...rest }) => ({
    ...rest,
    name: named(name),
    ...(connectsTo !== undefined && { connectsTo: named(connectsTo) }),
  }))
  // One that is back after a chapter without it promised the same in the last that had it.
  const earlier = allChapters().filter(({ name }) => name < chapter)
  const back = cluster.programs.flatMap(({ name }) =>
    own.some((program) => program.name === name)
      ? []
      : (
          earlier.findLast(({ programs }) => programs.some((program) => program.name === name))?.programs ??
          []
        ).filter((program) => program.name === name),
  )
  return { chapter, programs: cluster.programs, before: [...own, ...back] }
}

async function runUntilReady({ name, ready }: Program, chapter: ChapterCopy): Promise<Running> {
  const running = await chapter.run(name)
  await running.says(oneOf(ready))
  return running
}

/** Matches a line that has one of these texts in it. */
function oneOf(texts: readonly string[]): RegExp {
  return new RegExp(texts.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'))
}

function stackOf(running: Running): string[] {
  return running.lines.filter((line) => STACK_LINE.test(line))
}
