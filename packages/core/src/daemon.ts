/**
 * A program that belongs to its machine: in a sandbox, with what it needs granted by name; it reads its configuration again
 * without losing a connection, is started anew without refusing anybody, stops without losing what was said, and says how it
 * does.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.23.0
 */

// What only this program may know.
export { credentialFile } from './credentials.ts'
// The units of a program, and how they get to their places.
export {
  type DaemonOptions,
  type DaemonUnits,
  type DeviceGrant,
  daemonUnits,
  firmware,
  installDaemon,
} from './daemon-unit.ts'
// A stop that loses nothing.
export { type Draining, type DrainOptions, drainFirst } from './draining.ts'
// How it does, for scripts.
export {
  askHealth,
  type Health,
  healthFolder,
  type KnownHealth,
  type TellHealthOptions,
  tellHealth,
} from './health.ts'
// What systemd listens on for it.
export { inheritedSocket } from './inherited-sockets.ts'
// A configuration that is read again.
export { askForReload, changedKeys, onReload, type ReloadOptions, type Reloads } from './reload.ts'
// What somebody at the other end may have done here.
export {
  askForTask,
  type PassTasksOptions,
  passTasks,
  type RemoteTasksOptions,
  remoteTasks,
} from './remote-tasks.ts'
// What only root may do.
export { withRootTasks } from './root-tasks.ts'
