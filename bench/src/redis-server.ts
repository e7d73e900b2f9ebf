import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import getPort from 'get-port'
import { listens } from './nats-server.ts'

/** A Redis of this machine only, with a folder of its own. */
export interface RedisServer {
  port: number
  /** Ends it, and takes its folder away. */
  end(): void
}

/**
 * Starts a Redis, and waits until it listens.
 *
 * @param durable whether what it acknowledges is on the disk (`appendfsync always`). Otherwise it writes no file at all
 */
export async function startRedisServer(durable: boolean): Promise<RedisServer> {
  const port = await getPort()
  const folder = mkdtempSync(join(tmpdir(), 'bench-redis-'))
  const files = durable ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no']
  const server: ChildProcess = spawn(
    'redis-server',
    ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--save', '', ...files],
    { stdio: 'ignore' },
  )
  const end = () => {
    server.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  if (await listens(port)) return { port, end }
  end()
  throw new Error('redis-server was started, and does not listen after 5 s')
}
