import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import getPort from 'get-port'
import { median } from 'simple-statistics'
import type { Comparison, Measurement } from './measurement.ts'

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))
const PNPM = ['npx', '-y', 'pnpm@12'] as const

/** How often the programs are started. A start is short, and what else the machine does shows in it. */
const STARTS = 5

/** After how long they are at rest, in ms. */
const REST_MS = 5_000

/** The unit in which Linux tells how much of a processor's time a process has taken, in s. */
const TICK_S = 0.01

/** How a chapter's programs can be run, each with the arguments of Node, and what is asked of it: what a Pi has to spare. */
const WAYS = [
  {
    how: 'bundled',
    command: (program: string) => [`${program}.js`],
    goals: { start: { atMost: 0.35 }, memory: { atMost: 60 } },
  },
  { how: 'by tsx', command: (program: string) => ['--import', 'tsx', `src/${program}.ts`], goals: {} },
]

/** A port in a configuration file, such as `socket_port = 7000`. */
const PORT = /port"?\s*[=:]\s*(\d+)/g

/** What a reader waits for, in a fresh clone of what is committed, and what a chapter's programs take of a Pi. */
export function readersTimes(progress: (what: string) => void): Measurement {
  const chapter = newestChapter()
  const { programs, config } = clusterOf(chapter)
  return {
    name: 'reader',
    what: 'a reader',
    unit: 's',
    mostRounds: 1,
    comparisons: [
      { of: 'first line of `pnpm start` in a fresh clone, empty store', ours: 'firstLineFresh' },
      { of: 'install, empty store', ours: 'install' },
      { of: 'first line of `pnpm start`', ours: 'firstLine' },
      { of: 'pnpm test', ours: 'test' },
      ...programs.flatMap(({ name }) =>
        WAYS.flatMap(({ how, goals: { start, memory } }): Comparison[] => [
          {
            of: `start of ${name}, ${how}, time of a core`,
            ours: `${name} ${how}`,
            ...(start && { goal: start }),
          },
          {
            of: `memory of ${name} at rest, ${how}`,
            ours: `${name} ${how} MiB`,
            unit: 'MiB',
            ...(memory && { goal: memory }),
          },
        ]),
      ),
      { of: `size of ${chapter} as a bundle`, ours: 'bundleMB', unit: 'MB', goal: { atMost: 1 } },
    ],
    async measure() {
      const folder = mkdtempSync(join(tmpdir(), 'bench-reader-'))
      try {
        const args = await withFreePorts(config, folder)
        progress('a reader starts the newest chapter, with an empty store')
        const fresh = clone(join(folder, 'fresh'))
        const firstLineFresh = await untilFirstLine(fresh, args)
        progress('a reader installs, with an empty store')
        const installed = clone(join(folder, 'installed'))
        const install = seconds(() => run(installed, 'install', '--frozen-lockfile'))
        progress('a reader starts the newest chapter')
        const firstLine = await untilFirstLine(installed, args)
        progress('a reader starts its programs')
        const bundle = join(folder, 'bundle')
        run(installed, 'bundle', chapter, '--out', bundle)
        const taken = await takenBy(programs, args, {
          bundled: bundle,
          'by tsx': join(installed, 'chapters', chapter),
        })
        progress('a reader runs the tests')
        const test = seconds(() => run(installed, 'test'))
        return { firstLineFresh, install, firstLine, ...taken, bundleMB: sizeOf(bundle) / 1e6, test }
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
  }
}

/** A clone of what is committed. */
function clone(folder: string): string {
  spawnSync('git', ['clone', '--quiet', REPOSITORY, folder], { stdio: 'inherit' })
  return folder
}

/** An environment without what the pnpm that runs this has put into it, and with a store of the clone's own, empty at first. */
function environmentOf(folder: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([key]) => !/^(npm_|pnpm_|init_cwd$)/i.test(key))
  return {
    ...Object.fromEntries(own),
    pnpm_config_store_dir: `${folder}-store`,
    pnpm_config_cache_dir: `${folder}-cache`,
  }
}

function seconds(work: () => void): number {
  const began = performance.now()
  work()
  return (performance.now() - began) / 1000
}

function run(folder: string, ...args: string[]): void {
  const [command, ...pnpm] = PNPM
  const { status } = spawnSync(command, [...pnpm, ...args], {
    cwd: folder,
    env: environmentOf(folder),
    stdio: 'ignore',
  })
  if (status !== 0) throw new Error(`pnpm ${args.join(' ')} ended with exit code ${status}`)
}

async function untilFirstLine(folder: string, args: readonly string[]): Promise<number> {
  const [command, ...pnpm] = PNPM
  const began = performance.now()
  const cluster = spawn(command, [...pnpm, 'start', '--for', '5s', ...args], {
    cwd: folder,
    env: environmentOf(folder),
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

/** A program of a chapter, as the chapter's package.json has it. */
interface Program {
  name: string
  /** What it says when it is up. */
  ready: string[]
}

function newestChapter(): string {
  const newest = readdirSync(join(REPOSITORY, 'chapters'))
    .filter((name) => /^\d\d-/.test(name))
    .sort()
    .at(-1)
  if (!newest) throw new Error('There is no chapter')
  return newest
}

function clusterOf(chapter: string): { programs: Program[]; config: string | undefined } {
  const folder = join(REPOSITORY, 'chapters', chapter)
  const { cluster } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const programs = Object.entries<{ ready: string | string[] }>(cluster.programs)
  return {
    programs: programs.map(([name, { ready }]) => ({ name, ready: [ready].flat() })),
    config: cluster.config && join(folder, cluster.config),
  }
}

/** What programs are to be started with, so that they do not meet a cluster that somebody else runs here. */
export async function withFreePorts(config: string | undefined, folder: string): Promise<string[]> {
  if (config === undefined) return []
  const text = readFileSync(config, 'utf8')
  const ports = new Map<string, number>()
  for (const [, port = ''] of text.matchAll(PORT)) ports.set(port, ports.get(port) ?? (await getPort()))
  const own = join(folder, basename(config))
  writeFileSync(
    own,
    text.replace(PORT, (whole, port) => whole.replace(port, String(ports.get(port)))),
  )
  return ['--config', own]
}

/**
 * What the programs of a chapter take of the machine, where the system tells it in /proc: the time of a core
 * until each is up, the median of some starts, and the memory that each has when nothing happens.
 *
 * @param args what each is started with
 * @param folders where they are, for each of the {@link WAYS}
 */
async function takenBy(
  programs: readonly Program[],
  args: readonly string[],
  folders: Record<string, string>,
): Promise<Record<string, number>> {
  const times: Record<string, number[]> = {}
  const memory: Record<string, number> = {}
  for (let start = 1; start <= STARTS; start += 1) {
    for (const { how, command } of WAYS) {
      const running: ChildProcess[] = []
      try {
        for (const { name, ready } of programs) {
          const child = spawn(process.execPath, [...command(name), ...args], {
            cwd: folders[how],
            stdio: ['ignore', 'pipe', 'inherit'],
          })
          running.unshift(child)
          await says(child, ready)
          times[`${name} ${how}`] = [...(times[`${name} ${how}`] ?? []), coreTime(child)]
        }
        if (start < STARTS) continue
        await sleep(REST_MS)
        for (const [index, { name }] of programs.toReversed().entries())
          memory[`${name} ${how} MiB`] = residentMiB(running[index])
      } finally {
        for (const child of running) {
          child.kill()
          if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
        }
      }
    }
  }
  return {
    ...Object.fromEntries(Object.entries(times).map(([key, values]) => [key, median(values)])),
    ...memory,
  }
}

export async function says(child: ChildProcess, ready: readonly string[]): Promise<void> {
  if (!child.stdout) return
  // The iterator would end the stream with it, and the program's next line would end the program.
  const lines = createInterface(child.stdout)
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => ready.some((text) => line.includes(text)) && resolve())
    lines.on('close', () => reject(new Error(`${child.spawnargs.join(' ')} ended before it was up`)))
  })
}

/** The time that a process has taken of all cores together, in s. */
export function coreTime({ pid }: ChildProcess): number {
  // The name of the program comes second, in brackets, and may hold anything; user and system are nr. 14 and 15.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * TICK_S
}

export function residentMiB(child: ChildProcess | undefined): number {
  const status = readFileSync(`/proc/${child?.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
}

/** The size of all files of a folder, in bytes. */
function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => statSync(join(folder, file)))
    .reduce((sum, stats) => sum + (stats.isFile() ? stats.size : 0), 0)
}
