/** Programs in Python, which a chapter's programs meet in its tests. */
import { spawn, spawnSync } from 'node:child_process'
import { dirname, resolve } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { CHAPTERS_FOLDER } from '../chapters/chapters.ts'
import { isPractice } from './explain-failure.ts'
import { HarnessError } from './patience.ts'
import { Running } from './running.ts'
import { stillToChange } from './still-to-change.ts'

/**
 * True where python3 is installed. In CI it must be, and this throws. In a reader's practice folder it is false as long as
 * a program is still that of the chapter before: a node that waits for what this one cannot say yet would wait for long.
 */
export function hasPython(): boolean {
  const { testPath = '' } = expect.getState()
  const files = isPractice(testPath) ? stillToChange(dirname(dirname(testPath))) : []
  if (files.length > 0) {
    console.warn(`The tests with Python nodes are left out until you have changed ${files.join(', ')}`)
    return false
  }
  const found = spawnSync('python3', ['--version']).status === 0
  if (found) return true
  if (process.env['CI'])
    throw new HarnessError('python3 is not installed, and CI must run the tests that need it')
  console.warn('python3 is not installed: the tests with Python nodes are left out')
  return false
}

/**
 * Runs a Python program until it ends, or the test does. It leaves no compiled modules behind (-B).
 *
 * @param file its path, absolute or counted from the folder of the chapters
 */
export async function runPython(file: string, ...args: string[]): Promise<Running> {
  const running = new Running(
    spawn('python3', ['-B', resolve(CHAPTERS_FOLDER, file), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    }),
  )
  onTestFinished(() => running.kill())
  await running.saidSomething()
  return running
}
