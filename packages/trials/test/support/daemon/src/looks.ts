/** What a daemon finds out about the sandbox that it is in, by trying. */
import { execFile } from 'node:child_process'
import { constants, promises } from 'node:fs'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { dirname } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)
const { CREDENTIALS_DIRECTORY, STATE_DIRECTORY, LOGS_DIRECTORY } = process.env

/** Tries something, and says what came of it: `ok`, what it gives, or the code of the error. */
const attempt = (work: () => Promise<unknown>) => async () => {
  try {
    return (await work()) ?? 'ok'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}
const write = (folder: string | undefined) => attempt(() => promises.writeFile(`${folder}/x`, 'x'))
const openDevice = (path: string) =>
  attempt(async () => (await promises.open(path, constants.O_RDWR)).close())

export const looks: Record<string, () => Promise<unknown>> = {
  credential: attempt(async () => {
    const { mode, uid } = await promises.stat(`${CREDENTIALS_DIRECTORY}/key`)
    return { mode: (mode & 0o777).toString(8), isOwn: uid === process.getuid?.() }
  }),
  'file of the key': attempt(() => promises.readFile('/etc/rpicluster/node.key')),
  'write code': write(dirname(process.argv[1] ?? '')),
  'write /etc': write('/etc'),
  'write /run': write('/run'),
  'write state': write(STATE_DIRECTORY),
  'write logs': write(LOGS_DIRECTORY),
  'granted device': openDevice('/dev/vcio'),
  'another device': openDevice('/dev/other'),
  'another task': attempt(
    () =>
      new Promise((resolve, reject) => {
        const socket = connect('/run/rpicluster-tasks/shutdown', () => resolve('ok')).on('error', reject)
        socket.unref()
      }),
  ),
  // What its programs are given of what it was given: nothing.
  children: attempt(async () => (await execute('sh', ['-c', 'env | grep ^LISTEN; ls /proc/self/fd'])).stdout),
  'become root': attempt(async () => process.setuid?.(0)),
  interfaces: attempt(async () => Object.keys(networkInterfaces())),
}
