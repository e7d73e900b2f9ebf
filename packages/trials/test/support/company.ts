/** Nodes in Python, as the posts have them, in the company of a chapter's programs. */
import { join } from 'node:path'
import { type ChapterCopy, type Running, runPython } from '@rpi-cluster/tutorial/harness'
import { expect } from 'vitest'

/** How many times as fast as real time the clock of a chapter's programs runs in a test; that of the Python nodes has to. */
const SPEED = '10'

/** How many beats a node says before it is believed that it goes on. */
const BEATS = 4

/** What to load into a master of ours, so that its details are hard for who decodes them piece by piece. */
const FAR_FROM_ASCII = join(import.meta.dirname, 'far-from-ascii.js')
const HOSTNAME = 'küche-€-\u{1f353}-'.repeat(50)

/** The nodes that connect, by the first post that has them so. Those between behave as the one before. */
export const KINDS = ['07', '10', '11', '13', '14-web', '15', '15-web', '16', '16-web', '17', '17-web', '18']

/** The posts whose master behaves as none before. */
export type MasterPost = '07' | '09'

/** A node of the posts that connects. */
export function pythonNode(kind: string, port: number): Promise<Running> {
  return runPython(join(import.meta.dirname, 'python/node.py'), kind, String(port), SPEED)
}

/** A master of the posts. */
export function pythonMaster(post: MasterPost, port: number): Promise<Running> {
  return runPython(join(import.meta.dirname, 'python/master.py'), post, String(port), SPEED)
}

/** Where each connection of a node came from: `127.0.0.1:51234`. */
export function connectionsOf({ lines }: Running): string[] {
  return lines.flatMap((line) => /^connected from (.*)/.exec(line)?.[1] ?? [])
}

/**
 * Python nodes come to a master of ours, all of them at once, and say some beats. Each question gets one answer, nothing
 * else goes to anybody, and the master hears each beat, and warns of what it does not know.
 */
export async function masterServes(chapter: ChapterCopy, kinds: readonly string[]): Promise<void> {
  const master = await chapter.run('master', { preload: FAR_FROM_ASCII })
  await master.says(/Listening on/)
  const nodes = await Promise.all(
    kinds.map(async (kind) => [kind, await pythonNode(kind, chapter.port)] as const),
  )
  for (const [, node] of nodes) await node.says(/^beat/, BEATS)
  for (const [kind, node] of nodes) {
    expectWellServed(kind, node)
    const beat = `Received message from ${nameOf(kind, node, chapter)}: I am still alive, client: `
    await master.says(literally(beat + (chapterOf(kind) < 15 ? '7' : 'unknown')), BEATS)
  }
  const known = kinds.flatMap(unknownOf)
  // Of many warnings that begin alike, some are only counted.
  const strange = (line: string) => !known.some((what) => line.includes(what)) && !/: \d+ more/.test(line)
  expect(warningsOf(master).filter(strange)).toEqual([])
  for (const [, node] of nodes) await node.kill()
  await master.says(/Client disconnected|has left/, kinds.length)
  await master.stop()
  expect(master.exitCode).toBe(0)
}

/**
 * Slaves of ours come to a Python master. Each describes itself once, and hears of the master what it has asked for; nobody
 * is lost, or has to warn of anything.
 */
export async function slavesServe(chapter: ChapterCopy, post: MasterPost, count = 1): Promise<void> {
  const master = await pythonMaster(post, chapter.port)
  const slaves = await Promise.all(Array.from({ length: count }, () => chapter.run('slave')))
  const asksAgain = chapter.chapter.number >= 10
  await master.says(asksAgain ? /^Slave wants to know/ : /^Received message: I am still alive/, BEATS * count)
  for (const slave of slaves) await slave.says(/We have information about the master/, asksAgain ? 2 : 1)
  for (const slave of slaves) {
    expect(slave.exitCode).toBeNull()
    expect(warningsOf(slave)).toEqual([])
  }
  const heard = (beginning: string) => master.lines.filter((line) => line.startsWith(beginning))
  expect(heard('Got client at')).toHaveLength(count)
  expect(heard('Computer specifications: ')).toHaveLength(count)
  if (!asksAgain) expect(heard('Slave wants to know')).toHaveLength(count)
  for (const slave of slaves) await slave.stop()
  expect(slaves.map(({ exitCode }) => exitCode)).toEqual(slaves.map(() => 0))
  await master.says(/^Client disconnected/, count)
  if (post === '07') await master.ends()
  expect(master.exitCode).toBe(post === '07' ? 0 : null)
  expect(master.lines.join('\n')).not.toMatch(/Traceback|Error/)
  await master.kill()
}

/** Expects that a node lives, that it had one connection, and on it the right answers to its questions, and nothing else. */
export function expectWellServed(kind: string, node: Running): void {
  const said = `a Python node of ${kind} said:\n${node.lines.join('\n')}`
  expect(node.exitCode, said).toBeNull()
  expect(connectionsOf(node), said).toHaveLength(1)
  expect(node.lines.join('\n'), said).not.toMatch(/UNASKED|Traceback|Error|lost|waiting/)
  const { once, again } = questionsOf(kind)
  const answers = node.lines.flatMap((line) => /^asked (\w+: \w+)/.exec(line)?.[1] ?? [])
  const questions = [
    ...once,
    ...Array<string[]>(again.length > 0 ? answers.length : 0)
      .fill(again)
      .flat(),
  ]
  expect(answers.length, said).toBeGreaterThanOrEqual(once.length + again.length * (BEATS - 1))
  expect(answers, said).toEqual(
    questions.slice(0, answers.length).map((question) => `${question}: ${answerTo(question)}`),
  )
  if (questions.includes('computer_details')) expect(node.lines.join('\n'), said).toContain(HOSTNAME)
}

/** What a node asks once for each connection, and again and again. */
function questionsOf(kind: string): { once: string[]; again: string[] } {
  const details = chapterOf(kind) >= 17 ? 'node_baseinfo' : 'computer_details'
  const list = chapterOf(kind) >= 16 ? 'secondary_details' : 'slave_details'
  const hasList = chapterOf(kind) >= 15
  return {
    once: [...(hasList ? ['uuid'] : []), details],
    again: kind.endsWith('-web') ? [details, ...(hasList ? [list] : [])] : [],
  }
}

/** The type of our masters' answer. */
function answerTo(question: string): string {
  return question === 'computer_details' ? 'master_info' : 'bad_message'
}

/** What of a node's messages a master of ours does not know. */
function unknownOf(kind: string): string[] {
  const { once, again } = questionsOf(kind)
  const refused = [...once, ...again].filter((question) => answerTo(question) === 'bad_message')
  return [
    ...refused.map((question) => `: info, with ${question}`),
    ...(chapterOf(kind) >= 17 ? [': node_baseinfo, with', ': vitals, with'] : []),
  ]
}

/** What a master of ours calls a node: since 09 by its hostname, when it has told one in a way that is known. */
function nameOf(kind: string, node: Running, { chapter }: ChapterCopy): string {
  const [address = 'nowhere'] = connectionsOf(node)
  return chapter.number >= 9 && chapterOf(kind) < 17 ? `python-${kind}` : address
}

function chapterOf(kind: string): number {
  return Number.parseInt(kind, 10)
}

/** The lines of a program's console that tell of something wrong. */
export function warningsOf({ lines }: Running): string[] {
  return lines.filter((line) => /\] (WARN|ERROR|FATAL)/.test(line))
}

/** A pattern for the end of a line, which is this text. */
function literally(text: string): RegExp {
  return new RegExp(`${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`)
}
