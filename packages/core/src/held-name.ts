/**
 * A name that only one process of this machine has at a time: the system takes it back when that process ends, however it
 * did. A file with a process's number would outlive a `kill -9`, and lie.
 *
 * @since 0.15.0
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Takes a name until this process ends. It is the address of a local socket to which nobody connects: on Linux an
 * abstract one, as unix(7) has it, on Windows a pipe; both are gone with their process. Elsewhere it is a file, and one
 * that nobody listens on any more is taken over.
 *
 * @param name any text: who means the same uses the same
 * @returns whether it is this process's now; false when another one has it
 * @throws the system's error when there can be no such socket
 */
export async function holdName(name: string): Promise<boolean> {
  const path = pathOf(name)
  if (await listens(path)) return true
  if (path.startsWith('\0') || path.startsWith('\\\\') || (await answers(path))) return false
  rmSync(path, { force: true })
  return listens(path)
}

/**
 * Gives a name back before this process ends; another one may take it then. A name that this process does not hold stays
 * with who does.
 */
export async function releaseName(name: string): Promise<void> {
  const path = pathOf(name)
  const server = held.get(path)
  if (!server) return
  held.delete(path)
  await new Promise((resolve) => server.close(resolve))
}

function pathOf(name: string): string {
  return socketPath(createHash('sha256').update(name).digest('hex').slice(0, 32))
}

function socketPath(hash: string): string {
  if (process.platform === 'linux') return `\0rpi-cluster-${hash}`
  if (process.platform === 'win32') return `\\\\.\\pipe\\rpi-cluster-${hash}`
  return join(tmpdir(), `rpi-cluster-${hash}`)
}

/** Those that are held, so that nothing collects them. */
const held = new Map<string, Server>()

async function listens(path: string): Promise<boolean> {
  const server = createServer((socket) => socket.destroy())
  try {
    server.listen(path)
    await once(server, 'listening')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false
    throw error
  }
  held.set(path, server.unref())
  return true
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
