/** An engine as a process of ours: started, looked after, started again when it ends, and ended. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { OperationalError } from '@rpi-cluster/core/lifecycle'
import type { Logger } from '@rpi-cluster/core/logging'
import type { Engine } from './engine-commands.ts'

/** How often is looked whether it is up, for how long, and how long is waited before it is started again, in ms. */
const LOOK_MS = 50
const PATIENCE_MS = 20_000
const AGAIN_MS = 1_000

export class EngineProcess {
  /** Resolves when it has ended, after a stop. */
  readonly ended: Promise<void>
  readonly #engine: Engine
  readonly #log: Logger
  readonly #stop: AbortSignal
  /** Resolves when it is known that nobody else listens there. */
  readonly #isFree: Promise<void>

  constructor(engine: Engine, { log, stop }: { log: Logger; stop: AbortSignal }) {
    this.#engine = engine
    this.#log = log
    this.#stop = stop
    this.#isFree = this.#mustBeFree()
    this.ended = this.#isFree.then(() => this.#keep())
    this.ended.catch(() => {}) // who waits for it to be up is told
  }

  /**
   * Waits until it listens.
   *
   * @throws OperationalError when it does not, and why
   */
  async isUp() {
    const { command, address } = this.#engine
    await this.#isFree // who listens now is the one that was started
    const failed = this.ended.then(() => 'ended' as const)
    for (const begin = performance.now(); performance.now() - begin < PATIENCE_MS; ) {
      if (await listens(address)) return
      if ((await Promise.race([failed, sleep(LOOK_MS)])) === 'ended') return
    }
    throw new OperationalError(`${command} was started, and does not listen on ${address}.`)
  }

  async #mustBeFree() {
    const { command, address } = this.#engine
    if (await listens(address))
      throw new OperationalError(
        `Somebody listens on ${address} already: a ${command} that was left behind? End it, or choose another port under "engines".`,
      )
  }

  async #keep() {
    const { command, args, isBad } = this.#engine
    for (let starts = 0; !this.#stop.aborted; starts += 1) {
      const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
      const end = () => child.kill('SIGTERM')
      this.#stop.addEventListener('abort', end)
      let last = ''
      for (const stream of [child.stdout, child.stderr])
        createInterface({ input: stream }).on('line', (line) => {
          last = line
          if (isBad(line) && !this.#stop.aborted) this.#log.warn(`${command}: ${line.slice(0, 300)}`)
        })
      const up = performance.now()
      const how = await ending(child)
      this.#stop.removeEventListener('abort', end)
      if (this.#stop.aborted) return
      if (starts === 0 && performance.now() - up < AGAIN_MS)
        throw new OperationalError(`${command} ends as soon as it is started, ${how}: ${last.slice(0, 300)}`)
      this.#log.warn(`${command} has ended, ${how}: it is started again`)
      await sleep(AGAIN_MS, undefined, { signal: this.#stop }).catch(() => {})
    }
  }
}

/** Whether a command can be found. */
export function isInstalled(command: string): boolean {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined
}

async function ending(child: ChildProcess): Promise<string> {
  const [code, signal] = await once(child, 'close')
  return signal ? `by ${signal}` : `with exit code ${code}`
}

async function listens(address: string): Promise<boolean> {
  const [, host = '', port] = /^(.*):(\d+)$/.exec(address) ?? []
  const socket = connect(Number(port), host)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
