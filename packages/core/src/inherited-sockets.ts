/**
 * Sockets that were open before the program was: systemd listens in its place, and hands them over at its start. Who connects
 * while the program is started anew waits, and is not refused.
 *
 * @since 0.23.0
 */
import { fstatSync } from 'node:fs'
import { OperationalError } from './lifecycle.ts'

/** The first descriptor that is handed over: sd_listen_fds(3). Those before are the console. */
const FIRST_DESCRIPTOR = 3

/** By their names. Undefined until the first look. */
let inherited: ReadonlyMap<string, number> | undefined

/**
 * The descriptor of a socket that was handed over to this program, for `listen`. Nothing when there is none by this name, as
 * in a program that was started by hand.
 *
 * The first call takes what the environment says of them out of it: what this program starts has not been given them.
 *
 * @param name what its unit calls it: `FileDescriptorName=`
 * @throws OperationalError when the environment says that there are sockets, and does not say it as sd_listen_fds(3) has it,
 *   or what is there is none
 */
export function inheritedSocket(name: string): number | undefined {
  inherited ??= takeSockets()
  return inherited.get(name)
}

function takeSockets(): ReadonlyMap<string, number> {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = process.env
  for (const variable of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete process.env[variable]
  // They may be another process's, which has started this one.
  if (LISTEN_FDS === undefined || Number(LISTEN_PID) !== process.pid) return new Map()
  const count = /^[1-9]\d{0,3}$/.test(LISTEN_FDS) ? Number(LISTEN_FDS) : 0
  const names = LISTEN_FDNAMES?.split(':') ?? Array.from({ length: count }, () => 'unknown')
  if (count === 0 || names.length !== count)
    throw new OperationalError(
      `Whoever started this program hands over sockets, and does not say well which: LISTEN_FDS=${LISTEN_FDS} LISTEN_FDNAMES=${LISTEN_FDNAMES ?? ''}. sd_listen_fds(3) says how.`,
    )
  const sockets = new Map<string, number>()
  for (const [index, name] of names.entries()) {
    const descriptor = FIRST_DESCRIPTOR + index
    if (!isSocket(descriptor))
      throw new OperationalError(
        `Whoever started this program says that descriptor ${descriptor} is a socket called ${name}, and it is none.`,
      )
    if (!sockets.has(name)) sockets.set(name, descriptor)
  }
  return sockets
}

function isSocket(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isSocket()
  } catch {
    return false // it is not open
  }
}
