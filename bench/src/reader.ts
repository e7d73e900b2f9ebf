import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Measurement } from './measurement.ts'

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))
const PNPM = ['npx', '-y', 'pnpm@12'] as const

/** After how long a chapter's program is at rest, in ms. */
const REST_MS = 5_000

/** What a reader waits for, in a fresh clone of what is committed. */
export function readersTimes(progress: (what: string) => void): Measurement {
  return {
    name: 'reader',
    what: 'a reader',
    unit: 's',
    mostRounds: 1,
    comparisons: [
      { of: 'fresh install', ours: 'install' },
      { of: 'first line of `pnpm start`', ours: 'firstLine' },
      { of: 'pnpm test', ours: 'test' },
      { of: "a master's memory at rest", ours: 'memoryMiB', unit: 'MiB' },
    ],
    async measure() {
      const folder = mkdtempSync(join(tmpdir(), 'bench-reader-'))
      try {
        spawnSync('git', ['clone', '--quiet', REPOSITORY, folder], { stdio: 'inherit' })
        progress('a reader installs')
        const install = seconds(() => run(folder, 'install', '--frozen-lockfile'))
        progress('a reader starts the newest chapter')
        const firstLine = await untilFirstLine(folder)
        const memoryMiB = await memoryAtRest(folder)
        progress('a reader runs the tests')
        const test = seconds(() => run(folder, 'test'))
        return { install, firstLine, memoryMiB, test }
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
  }
}

function seconds(work: () => void): number {
  const began = performance.now()
  work()
  return (performance.now() - began) / 1000
}

function run(folder: string, ...args: string[]): void {
  const [command, ...pnpm] = PNPM
  const { status } = spawnSync(command, [...pnpm, ...args], { cwd: folder, stdio: 'ignore' })
  if (status !== 0) throw new Error(`pnpm ${args.join(' ')} ended with exit code ${status}`)
}

async function untilFirstLine(folder: string): Promise<number> {
  const [command, ...pnpm] = PNPM
  const began = performance.now()
  const cluster = spawn(command, [...pnpm, 'start', '--for', '5s'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const lines = createInterface(cluster.stdout)
  for await (const line of lines) {
    if (!/INFO/.test(line)) continue // what pnpm itself says
    const took = (performance.now() - began) / 1000
    await once(cluster, 'exit')
    return took
  }
  throw new Error('pnpm start wrote nothing')
}

/** Resident memory of the master of chapter 06, in MiB, where the system tells it in /proc. */
async function memoryAtRest(folder: string): Promise<number> {
  const cwd = join(folder, 'chapters/06-slave-details')
  const master = spawn(process.execPath, ['--import', 'tsx', 'src/master.ts'], { cwd, stdio: 'ignore' })
  try {
    await sleep(REST_MS)
    const status = readFileSync(`/proc/${master.pid}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
  } finally {
    master.kill()
  }
}
