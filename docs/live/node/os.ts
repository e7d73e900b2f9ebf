/** The machine: a made-up Pi, so that nothing of the reader's own is shown. */
import { clock } from './alive.ts'
import { process } from './process.ts'

const CORES = 4
const GIB = 2 ** 30

export const EOL = '\n'
export const devNull = '/dev/null'
export const hostname = () => process.env['HOSTNAME'] ?? 'browser'
export const platform = () => 'linux'
export const type = () => 'Linux'
export const arch = () => 'arm64'
export const release = () => '6.12.0'
export const endianness = () => 'LE'
export const homedir = () => '/home/pi'
export const tmpdir = () => '/tmp'
export const totalmem = () => 4 * GIB
export const freemem = () => 3 * GIB
export const loadavg = () => [0.1, 0.1, 0.1]
export const uptime = () => clock.now() / 1000
export const availableParallelism = () => CORES
export const networkInterfaces = () => ({})
export const userInfo = () => ({
  username: 'pi',
  uid: 1000,
  gid: 1000,
  homedir: '/home/pi',
  shell: '/bin/sh',
})

/** A processor that is at work for about a twentieth of the time. */
export function cpus() {
  const ms = clock.now()
  const wave = 1 + Math.sin(ms / 7000) / 2
  const busy = Math.round((ms * wave) / 20)
  return Array.from({ length: CORES }, () => ({
    model: 'A worker of this browser',
    speed: 1500,
    times: { user: busy, nice: 0, sys: 0, idle: Math.round(ms) - busy, irq: 0 },
  }))
}

export const constants = { signals: { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }, errno: {} }
export default {
  EOL,
  devNull,
  hostname,
  platform,
  type,
  arch,
  release,
  endianness,
  homedir,
  tmpdir,
  totalmem,
  freemem,
  loadavg,
  uptime,
  availableParallelism,
  networkInterfaces,
  userInfo,
  cpus,
  constants,
}
