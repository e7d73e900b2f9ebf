/**
 * The units of a program that belongs to its machine: a user of its own that may write nothing but what is its own, ports
 * that systemd holds, a key that nobody else can read, and whatever else it needs, granted by name.
 *
 * @since 0.23.0
 */
import type { Command } from './commands.ts'
import { OperationalError } from './lifecycle.ts'
import { groupOf, rootTaskUnits } from './root-tasks.ts'
import {
  commandOf,
  startedAndWatched,
  startOf,
  takeSteps,
  type Unit,
  type UnitOptions,
} from './service-unit.ts'

/** The group of all these programs: who is in it may ask how they do. */
const GROUP = 'rpicluster'

/** How long a program may take to stop, in s: what it is given to drain, and some time to end. */
const STOP_TIMEOUT_S = 15

/** What memory a program may take, unless told otherwise. Node takes 60 to 90 MB. */
const DEFAULT_MEMORY_MAX = '256M'

/** How many threads and processes it may have, unless told otherwise: Node has a dozen, and starts a few commands. */
const DEFAULT_TASKS_MAX = 64

/** A device that a program may use. */
export interface DeviceGrant {
  /** Where it is: `/dev/vcio`. A machine that has none is none the worse for it. */
  path: string
  /** The group that may use it: `video`. */
  group: string
}

/** The firmware of a Pi, which `vcgencmd` asks. */
export const firmware: DeviceGrant = { path: '/dev/vcio', group: 'video' }

export interface DaemonOptions extends UnitOptions {
  /** What systemd is to listen on for it: by the name that the program knows the socket by, where: `0.0.0.0:31415`. */
  listens?: Readonly<Record<string, string>>
  /** What only this program may read: by its name, the absolute path of a file, which may be root's alone. */
  credentials?: Readonly<Record<string, string>>
  /** The tasks that root does for it, by their names: `reboot`. */
  rootTasks?: readonly string[]
  /** The devices that it may use. */
  devices?: readonly DeviceGrant[]
  /**
   * A program beside it that lets it reload, and says by its exit code what came of it: it is started with the name of the
   * program and `--reload`. Default: it is sent SIGHUP, and nobody waits.
   */
  reloadedBy?: string
  /** How much memory it may take, as systemd writes it. Default: `256M`. */
  memoryMax?: string
  /** How many threads and processes it may have, those of what it starts among them: a Node has a dozen. Default: 64. */
  tasksMax?: number
}

/** The units of a program, and what they need. */
export interface DaemonUnits {
  /** The program itself. */
  readonly service: Unit
  /** What systemd listens on for it. */
  readonly sockets: readonly Unit[]
  /** What root does for it: a socket and a template for each task. */
  readonly tasks: readonly (readonly [socket: Unit, template: Unit])[]
  /** The groups that there have to be. */
  readonly groups: readonly string[]
}

/**
 * The units for a program that lies beside this one, as `unitOf` finds it.
 *
 * @param program its name: `primary`
 * @throws OperationalError when there is no such program, or no such task, or an option cannot stand in a unit
 */
export function daemonUnits(program: string, options: DaemonOptions = {}): DaemonUnits {
  const { listens = {}, rootTasks = [], devices = [], credentials = {} } = options
  checkWords({
    ...listens,
    ...credentials,
    ...Object.fromEntries(devices.map(({ path, group }) => [group, path])),
  })
  const start = startOf(program)
  const service = `rpicluster-${program}.service`
  const sockets = Object.entries(listens).map(
    ([name, address]): Unit => ({
      name: `rpicluster-${program}-${name}.socket`,
      text: socketText({ program, name, address, service }),
      needs: [],
    }),
  )
  const text = serviceText({ program, ...start, sockets, options })
  return {
    service: { name: service, text, needs: start.needs },
    sockets,
    tasks: rootTasks.map(rootTaskUnits),
    groups: [GROUP, ...rootTasks.map(groupOf)],
  }
}

/** Refuses what would mean something else in a unit than itself. */
function checkWords(words: Readonly<Record<string, string>>): void {
  for (const word of Object.entries(words).flat())
    if (!/^[\w@+=:,./[\]-]+$/.test(word))
      throw new OperationalError(
        `"${word}" cannot stand in a unit. Use letters, digits, and none of blanks, quotes, % and $.`,
      )
}

function socketText({
  program,
  name,
  address,
  service,
}: {
  program: string
  name: string
  address: string
  service: string
}): string {
  return `[Unit]
Description=Raspberry Pi cluster: what ${program} listens on

[Socket]
# It is open while the program is not there: who connects then waits.
ListenStream=${address}
FileDescriptorName=${name}
Service=${service}
Backlog=4096
# Also where the address has not come yet, after a power cut.
FreeBind=yes

[Install]
WantedBy=sockets.target
`
}

function serviceText({
  program,
  folder,
  command,
  sockets,
  options,
}: {
  program: string
  folder: string
  command: string
  sockets: readonly Unit[]
  options: DaemonOptions
}): string {
  const { keepsState = false, credentials = {}, rootTasks = [], devices = [] } = options
  const { memoryMax = DEFAULT_MEMORY_MAX, tasksMax = DEFAULT_TASKS_MAX } = options
  const groups = [...new Set([...devices.map(({ group }) => group), ...rootTasks.map(groupOf)])]
  const lines = (comment: string, ...settings: string[]) =>
    settings.length > 0 ? `# ${comment}\n${settings.join('\n')}\n` : ''
  return `[Unit]
Description=Raspberry Pi cluster: ${program}
Wants=network-online.target
After=network-online.target
${startedAndWatched(command)}
# Reads its configuration again.
ExecReload=${options.reloadedBy === undefined ? 'kill -HUP $MAINPID' : `${commandOf(options.reloadedBy)} ${program} --reload`}
WorkingDirectory=${folder}
Restart=always
RestartSec=5
# To end it, the program alone is asked. It finishes what it does, and is given this time for it.
KillMode=mixed
TimeoutStopSec=${STOP_TIMEOUT_S}
${lines(
  'Open before the program is, and while it is started anew.',
  ...sockets.map(({ name }) => `Sockets=${name}`),
)}
# A user of its own, made for as long as it runs. Whoever is in its group may ask how it does.
DynamicUser=yes
Group=${GROUP}
UMask=0027
LogsDirectory=rpicluster-${program}
RuntimeDirectory=rpicluster-${program}
${keepsState ? `StateDirectory=rpicluster-${program}\n` : ''}${lines(
  'Read by root when it starts; the program finds a copy that nobody else does.',
  ...Object.entries(credentials).map(([name, file]) => `LoadCredential=${name}:${file}`),
)}${lines(
  'Granted by name: a device, or a task that root does.',
  ...devices.flatMap(({ path }) => [`DeviceAllow=${path} rw`, `BindPaths=-${path}`]),
  ...(groups.length > 0 ? [`SupplementaryGroups=${groups.join(' ')}`] : []),
)}
# More than this is a mistake in it, which must not take the machine along.
MemoryMax=${memoryMax}
TasksMax=${tasksMax}

# All else it may not write, and most of it not see.
CapabilityBoundingSet=
LockPersonality=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateMounts=yes
PrivateTmp=yes
PrivateUsers=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=read-only
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources

[Install]
WantedBy=multi-user.target
`
}

/**
 * Puts the units of a program into their places, makes the groups that they need, and starts the program, now and whenever
 * this machine starts. As root, or by sudo without a password. What is there is replaced, and the program started again; where
 * systemd listened for it before, on the same, it goes on listening, and nobody is refused.
 *
 * No key is in what this says, nor on a command line: a unit names the file.
 *
 * @param say is told each step, and at last where to look
 * @throws OperationalError as `installUnit` does
 */
export async function installDaemon(units: DaemonUnits, say: (line: string) => void): Promise<void> {
  const { service, sockets, tasks, groups } = units
  const taskSockets = tasks.map(([socket]) => socket)
  const all = [service, ...sockets, ...tasks.flat()]
  await takeSteps(all, say, (before) => {
    const wasSo = ({ name, text }: Unit) => before({ name, text, needs: [] }) === text
    const areOpen = sockets.every(wasSo)
    const names = (of: readonly Unit[]) => of.map(({ name }) => name)
    const changed = taskSockets.filter((socket) => !wasSo(socket))
    return [
      ...groups.map((group): Command => ['groupadd', '--system', '--force', group]),
      ['systemctl', 'daemon-reload'],
      ['systemctl', 'enable', ...names([service, ...sockets, ...taskSockets])],
      ...(changed.length > 0 ? [['systemctl', 'restart', ...names(changed)] as Command] : []),
      // systemd opens no socket that its program, running, may have open itself.
      ...(areOpen ? [] : [['systemctl', 'stop', service.name] as Command]),
      ...(areOpen ? [] : [['systemctl', 'restart', ...names(sockets)] as Command]),
      ['systemctl', 'restart', service.name],
    ]
  })
  say(`It runs, and will whenever this machine starts. systemctl status ${service.name} says how it does,`)
  say(
    `journalctl -fu ${service.name} what it logs, and systemctl reload ${service.name} lets it read its configuration again.`,
  )
}
