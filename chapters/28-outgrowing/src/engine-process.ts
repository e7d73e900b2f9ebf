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
  /** Resolves when it has ended, after a stop. Rejects when it ends before it was up. */
  readonly ended: Promise<void>
  readonly #engine: Engine
  readonly #log: Logger
  readonly #stop: AbortSignal
  #wasUp = false

  constructor(engine: Engine, { log, stop }: { log: Logger; stop: AbortSignal }) {
    this.#engine = engine
    this.#log = log
    this.#stop = stop
    this.ended = this.#keep()
    this.ended.catch(() => {}) // who waits for it to be up is told
  }

  /**
   * Waits until it listens.
   *
   * @throws OperationalError when it does not, and why
   */
  async isUp() {
    const { command, address } = this.#engine
    const failed = this.ended.then(() => 'ended' as const)
    for (const begin = performance.now(); performance.now() - begin < PATIENCE_MS; ) {
      this.#wasUp = await listens(address)
      if (this.#wasUp) return
      if ((await Promise.race([failed, sleep(LOOK_MS)])) === 'ended') return
    }
    throw new OperationalError(`${command} was started, and does not listen on ${address}.`)
  }

  async #keep() {
    const { command, args, isBad } = this.#engine
    while (!this.#stop.aborted) {
      const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
      const end = () => child.kill('SIGTERM')
      this.#stop.addEventListener('abort', end)
      let last = ''
      for (const stream of [child.stdout, child.stderr])
        createInterface({ input: stream }).on('line', (line) => {
          last = line
          if (isBad(line) && !this.#stop.aborted) this.#log.warn(`${command}: ${line.slice(0, 300)}`)
        })
      const how = await ending(child)
      this.#stop.removeEventListener('abort', end)
      if (this.#stop.aborted) return
      if (!this.#wasUp)
        throw new OperationalError(`${command} ends as soon as it is started, ${how}: ${last.slice(0, 300)}`)
      this.#log.warn(`${command} has ended, ${how}: it is started again`)
      await sleep(AGAIN_MS, undefined, { signal: this.#stop }).catch(() => {})
    }
  }
}

/**
 * Looks whether all of them have their ports for themselves. Who listens there afterwards is the one that was started.
 *
 * @throws OperationalError when somebody listens there, with a line for each port
 */
export async function mustBeFree(engines: readonly Engine[]) {
  const places = engines.flatMap(({ command, address, others }) =>
    [address, ...others].map((place) => ({ command, place })),
  )
  const are = await Promise.all(places.map(({ place }) => listens(place)))
  const problems = places
    .filter((_, index) => are[index])
    .map(
      ({ command, place }) =>
        `Somebody listens on ${place} already, where ${command} is to listen: one that was left behind? End it, or choose another port under "engines".`,
    )
  if (problems.length > 0) throw new OperationalError(problems)
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
