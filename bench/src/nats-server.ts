import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Whether a command is there to be run. */
export function isInstalled(command: string, versionFlag: string): boolean {
  return spawnSync(command, [versionFlag], { stdio: 'ignore' }).status === 0
}

/**
 * Starts a NATS server of this machine only, and waits until it listens.
 *
 * @param more more of its own options
 */
export async function startNatsServer(port: number, more: readonly string[] = []): Promise<ChildProcess> {
  const args = ['--addr', '127.0.0.1', '--port', String(port), ...more]
  const server = spawn('nats-server', args, { stdio: 'ignore' })
  if (await listens(port)) return server
  server.kill()
  throw new Error('nats-server was started, and does not listen after 5 s')
}

/** Waits until somebody listens on a port of this machine, 5 s at most. */
export async function listens(port: number): Promise<boolean> {
  for (let tries = 0; tries < 100; tries += 1) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return true
    } catch {
      await sleep(50)
    } finally {
      socket.destroy()
    }
  }
  return false
}
