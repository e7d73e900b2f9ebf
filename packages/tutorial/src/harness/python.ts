/** Programs in Python, which a chapter's programs meet in its tests. */
import { spawn, spawnSync } from 'node:child_process'
import { onTestFinished } from 'vitest'
import { HarnessError } from './patience.ts'
import { Running } from './running.ts'

/** True where python3 is installed. In CI it must be, and this throws. */
export function hasPython(): boolean {
  const found = spawnSync('python3', ['--version']).status === 0
  if (found) return true
  if (process.env['CI'])
    throw new HarnessError('python3 is not installed, and CI must run the tests that need it')
  console.warn('python3 is not installed: the tests with Python nodes are left out')
  return false
}

/** Runs a Python program until it ends, or the test does. It leaves no compiled modules behind (-B). */
export async function runPython(file: string, ...args: string[]): Promise<Running> {
  const running = new Running(
    spawn('python3', ['-B', file, ...args], { stdio: ['ignore', 'pipe', 'pipe'], detached: true }),
  )
  onTestFinished(() => running.kill())
  await running.saidSomething()
  return running
}
