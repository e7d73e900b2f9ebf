/** A system of its own for a test: systemd, booted in namespaces of their own, so that real services start, hang and end. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished } from 'vitest'
import { HarnessError } from './patience.ts'

const execute = promisify(execFile)

const SCRIPT = join(import.meta.dirname, 'systemd.sh')

/** How long it may take to boot, in ms. */
const BOOT_TIMEOUT_MS = 30_000

/** Whether one can be booted here: it takes systemd, and the rights of root. In CI that has these it must, or this throws. */
export function canBootSystemd(): boolean {
  const unshared =
    spawnSync('unshare', ['--pid', '--mount', '--net', '--cgroup', '--fork', 'true']).status === 0
  const isThere = spawnSync('test', ['-x', '/lib/systemd/systemd']).status === 0
  if (unshared && isThere) return true
  if (process.env['CI'] && process.getuid?.() === 0)
    throw new HarnessError(
      'systemd is not installed or cannot be booted, and CI must run the tests that need it',
    )
  console.warn('No systemd can be booted here: the tests that need one are left out')
  return false
}

/** A booted system. It ends with the test. */
export class Systemd {
  /** The pid of its init, as it is seen from outside. */
  readonly #pid: number

  private constructor(pid: number) {
    this.#pid = pid
  }

  /** Boots one, which has a copy of a folder at /opt/rpicluster. */
  static async boot(folder: string): Promise<Systemd> {
    const args = ['--pid', '--mount', '--uts', '--ipc', '--net', '--cgroup', '--fork', 'sh', SCRIPT, folder]
    const unshare = spawn('unshare', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let complaints = ''
    unshare.stderr.on('data', (text) => {
      complaints += text
    })
    onTestFinished(() => end(unshare))
    await expect.poll(() => childOf(unshare), { timeout: BOOT_TIMEOUT_MS }).toBeDefined()
    const systemd = new Systemd(childOf(unshare) as number)
    await expect
      .poll(() => systemd.run('systemctl', 'is-system-running').catch(() => complaints), {
        timeout: BOOT_TIMEOUT_MS,
      })
      .toBe('running')
    await systemd.run('systemctl', 'start', 'systemd-journald.socket', 'systemd-journald.service')
    return systemd
  }

  /** Runs a command in it, in the folder /opt/rpicluster, and returns what it prints. Throws when it fails. */
  async run(...command: [string, ...string[]]): Promise<string> {
    const { stdout } = await execute('nsenter', [...this.#inside, ...command])
    return stdout.trim()
  }

  /** The same command as a line for a shell of this machine. Its words are plain ones. */
  commandLine(...command: [string, ...string[]]): string {
    return ['nsenter', ...this.#inside, ...command].join(' ')
  }

  get #inside(): string[] {
    return ['--target', String(this.#pid), '--all', 'env', '--chdir=/opt/rpicluster']
  }

  /** What systemd knows of a unit, by the names of its properties: `StatusText`. */
  async show(unit: string, ...properties: string[]): Promise<Record<string, string>> {
    const lines = await this.run('systemctl', 'show', `--property=${properties.join(',')}`, unit)
    return Object.fromEntries(lines.split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2)))
  }
}

function childOf({ pid }: ChildProcess): number | undefined {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
    return child === undefined ? undefined : Number(child)
  } catch {
    return undefined // it has ended
  }
}

/** Ends the system: with its init, all of its processes end. */
function end(unshare: ChildProcess): void {
  const init = childOf(unshare)
  if (init !== undefined) process.kill(init, 'SIGKILL')
  unshare.kill('SIGKILL')
}
