/** Sees to it that a lab leaves no process and no file behind, even when it is killed itself. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A process of its own, which ends what is left as soon as this one is gone. */
export class Guard {
  readonly #process

  /** @param folder is removed at the end */
  constructor(folder: string) {
    this.#process = spawn(process.execPath, [fileURLToPath(new URL('guard.js', import.meta.url)), folder], {
      detached: true, // out of reach of Ctrl-C, and of a terminal that is closed
      stdio: ['pipe', 'ignore', 'ignore'],
      env: {},
    })
    this.#process.on('error', () => {}) // this machine lacks what the programs will lack, too, and they say so
    this.#process.stdin.on('error', () => {})
  }

  /** Watches over a process, which leads a group of its own, until it has ended. */
  watch(pid: number, ended: Promise<unknown>): void {
    this.#process.stdin.write(`start ${pid}\n`)
    void ended.then(() => this.#process.stdin.write(`end ${pid}\n`))
  }

  /** Ends what is left, and removes the folder. */
  async close(): Promise<void> {
    if (this.#process.pid === undefined || this.#process.exitCode !== null) return
    const closed = once(this.#process, 'close')
    this.#process.stdin.end()
    await closed
  }
}
