/** Packs the core the way it is published, for the checks of what comes out. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const CORE = fileURLToPath(new URL('..', import.meta.url))

/** The name of every idea: `config` for `src/config.ts`. */
export const entries = readdirSync(join(CORE, 'src'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length))
  .sort()

/** Builds and packs the core into a new temporary folder, which lasts as long as this script. */
export function pack(): { folder: string; tarball: string } {
  const folder = mkdtempSync(join(tmpdir(), 'rpi-cluster-core-'))
  process.on('exit', () => rmSync(folder, { recursive: true }))
  const tarball = join(folder, 'core.tgz')
  run('pnpm', ['pack', '--out', tarball], CORE)
  return { folder, tarball }
}

/** Runs a command, for two minutes at most. When it fails, this shows what it printed, and ends this script with exit code 1. */
export function run(command: string, args: string[], cwd: string): string {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: 120_000,
  })
  if (status === 0) return stdout
  console.error(stdout, stderr)
  fail([`${command} failed: ${error?.message ?? `exit code ${status}`}`])
}

/** Prints a line for each problem, and ends this script with exit code 1. */
export function fail(problems: string[]): never {
  for (const problem of problems) console.error(problem)
  process.exit(1)
}
