/** A page can start no program: it is told that there is none of that name, as on a machine where it is not installed. */
import { EventEmitter } from './events.ts'

function notThere(command: string): Error {
  return Object.assign(new Error(`spawn ${command} ENOENT`), {
    code: 'ENOENT',
    errno: -2,
    syscall: `spawn ${command}`,
    path: command,
  })
}

export function execFile(command: string, ...rest: unknown[]): void {
  const tell = rest.find((one) => typeof one === 'function') as ((error: Error) => void) | undefined
  queueMicrotask(() => tell?.(notThere(command)))
}

export function spawn(command: string) {
  const child = new EventEmitter()
  queueMicrotask(() => child.emit('error', notThere(command)))
  return child
}

export default { execFile, spawn }
