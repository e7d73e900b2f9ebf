/** Runs a trial that a seed repeats, as a test in a process of its own. */
import { join } from 'node:path'
import { execa } from 'execa'

/**
 * What must be a number on the command line.
 *
 * @throws TypeError when it is none
 */
export function wholeNumber(value: string): string {
  if (!/^\d{1,9}$/.test(value)) throw new TypeError(`${value} is not a whole number of up to nine digits`)
  return value
}

/** Runs a test file of a package with this in its environment. When it fails, so does this program. */
export async function runTrial(
  file: string,
  env: Record<string, string>,
  project = '@rpi-cluster/trials',
): Promise<void> {
  const { exitCode } = await execa('vitest', ['run', '--project', project, file], {
    cwd: join(import.meta.dirname, '../../..'),
    preferLocal: true,
    stdio: 'inherit',
    reject: false,
    env,
  })
  process.exitCode = exitCode ?? 1
}
