/**
 * A unit for a program: the text by which systemd starts it at boot, and again when it has ended, and watches it. One
 * template serves all programs.
 *
 * @since 0.12.0
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, type ParsedPath, parse } from 'node:path'
import { type Command, runCommand } from './commands.ts'
import { OperationalError, stopRequest } from './lifecycle.ts'
import { programFolder } from './program-folder.ts'

/** Where an administrator's units are: systemd.unit(5). */
const UNITS_FOLDER = '/etc/systemd/system'

/** How long a step of the installation may take, in ms: a program's start is one, which may take a minute and a half. */
const STEP_TIMEOUT_MS = 120_000

/** A unit. */
export interface Unit {
  /** What it is called: `rpicluster-slave.service`. */
  readonly name: string
  /** What stands in its file. */
  readonly text: string
  /** The folders and files that its user has to be able to read. */
  readonly needs: readonly string[]
}

export interface UnitOptions {
  /** Whether the program keeps something over its end: then the unit gives it a folder for that. Default: no. */
  keepsState?: boolean
}

/**
 * The unit for a program that lies beside this one, and is started by the same Node in the same way.
 *
 * Which programs these are says the package.json of their folder: `{"cluster": {"programs": {"node": {}}}}`. Where it says
 * nothing, it may be any.
 *
 * @param program its name: `slave`, for `slave.js` beside `service.js`
 * @throws OperationalError when there is no such program; it names those that are there
 */
export function unitOf(program: string, { keepsState = false }: UnitOptions = {}): Unit {
  const { folder, command, needs } = startOf(program)
  return {
    name: `rpicluster-${program}.service`,
    text: unitText({ program, folder, command, keepsState }),
    needs,
  }
}

/** How a program is started. */
interface Start {
  /** The folder that it belongs to, as systemd reads it. */
  folder: string
  /** The command, as systemd reads it. */
  command: string
  /** The folders and files that its user has to be able to read. */
  needs: string[]
}

/**
 * How a program that lies beside this one is started.
 *
 * @throws what {@link unitOf} throws
 * @internal
 */
export function startOf(program: string): Start {
  const script = parse(process.argv[1] ?? '')
  const folder = programFolder()
  const fileOf = (name: string) => join(script.dir, `${name}${script.ext}`)
  const programs = (programsNamedIn(folder) ?? otherThan(script)).filter((name) => isThere(fileOf(name)))
  if (!programs.includes(program))
    throw new OperationalError(
      `There is no program "${program}" here that a unit could start. There is: ${programs.join(', ') || 'none'}.`,
    )
  const file = fileOf(program)
  return {
    folder: folder.replaceAll('%', '%%'),
    command: commandOf(program),
    needs: [process.execPath, file, folder],
  }
}

/**
 * The command by which a program that lies beside this one is started, as systemd reads it: the same Node, in the same way.
 *
 * @internal
 */
export function commandOf(program: string): string {
  const { dir, ext } = parse(process.argv[1] ?? '')
  return [process.execPath, ...process.execArgv, join(dir, `${program}${ext}`)].map(quoted).join(' ')
}

/** The programs that run until they are stopped, as the package.json of a folder names them, if it does. */
function programsNamedIn(folder: string): string[] | undefined {
  const file = join(folder, 'package.json')
  const { cluster } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
  return cluster?.programs && Object.keys(cluster.programs)
}

/** The names of the other scripts beside one. */
function otherThan({ dir, name, ext }: ParsedPath): string[] {
  const scripts = readdirSync(dir).map((file) => parse(file))
  return scripts.flatMap((other) => (other.ext === ext && other.name !== name ? other.name : []))
}

/**
 * The lines of a unit that say how a program is started and watched.
 *
 * @internal
 */
export function startedAndWatched(command: string): string {
  return `# However often it has ended: it is started again.
StartLimitIntervalSec=0

[Service]
# The program says itself when it is ready, and that it still lives.
Type=notify
NotifyAccess=all
WatchdogSec=30
ExecStart=${command}`
}

function unitText({
  program,
  folder,
  command,
  keepsState,
}: {
  program: string
  folder: string
  command: string
  keepsState: boolean
}) {
  return `[Unit]
Description=Raspberry Pi cluster: ${program}
# A node that starts before the network has its addresses would fail, and be started again.
Wants=network-online.target
After=network-online.target
${startedAndWatched(command)}
WorkingDirectory=${folder}
Restart=always
RestartSec=5
# To end it, the program alone is asked: what it runs just then, as to tell systemd, it sees to itself.
KillMode=mixed
# A user of its own, made for as long as it runs, that owns nothing but its log files, in /var/log/rpicluster-${program}.
DynamicUser=yes
LogsDirectory=rpicluster-${program}
${keepsState ? `# And what it keeps, in /var/lib/rpicluster-${program}.\nStateDirectory=rpicluster-${program}\n` : ''}# It needs no more than the network.
CapabilityBoundingSet=
NoNewPrivileges=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=read-only
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
`
}

/** A word of a command, as systemd.service(5) takes it: whatever it has in it, it means itself. */
function quoted(word: string): string {
  const escaped = word.replace(/["\\]/g, '\\$&').replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /^[\w@+=:,./%-]+$/.test(word) ? escaped : `"${escaped}"`
}

/**
 * Puts a unit into its place, and starts its program, now and whenever this machine starts. As root, or by sudo without a
 * password. A unit that is there is replaced, and its program started again.
 *
 * @param say is told each step, and at last where to look
 * @throws OperationalError when its user could not find or read the program, when a step fails, or when the program does not
 *   become ready; then the unit is there, and systemd goes on trying
 */
export async function installUnit(unit: Unit, say: (line: string) => void): Promise<void> {
  await takeSteps([unit], say, () => [
    ['systemctl', 'daemon-reload'],
    ['systemctl', 'enable', unit.name],
    ['systemctl', 'restart', unit.name],
  ])
  say(`It runs, and will whenever this machine starts. systemctl status ${unit.name} says how it does,`)
  say(`journalctl -fu ${unit.name} what it logs.`)
}

/**
 * Puts units into their place, and does what is to be done then, as root.
 *
 * @param stepsThen what is to be done, known when the units of before are still there: `before` says what stands in one
 * @throws what {@link installUnit} throws
 * @internal
 */
export async function takeSteps(
  units: readonly Unit[],
  say: (line: string) => void,
  stepsThen: (before: (unit: Unit) => string | undefined) => readonly Command[],
): Promise<void> {
  const needs = units.flatMap((unit) => unit.needs)
  checkReadable(needs)
  checkNotPrivate(needs)
  const folder = mkdtempSync(join(tmpdir(), 'unit-'))
  try {
    const run = (command: Command) =>
      runCommand(command, { folder, timeoutMs: STEP_TIMEOUT_MS, stop: stopRequest })
    await run(['systemctl', 'show', '--property=Version']) // where no systemd is, nothing is left behind
    const placeOf = (unit: Unit) => join(UNITS_FOLDER, unit.name)
    const then = stepsThen((unit) =>
      existsSync(placeOf(unit)) ? readFileSync(placeOf(unit), 'utf8') : undefined,
    )
    const puts = units.map((unit): Command => {
      const file = join(folder, unit.name)
      writeFileSync(file, unit.text)
      return ['install', '-m', '644', file, placeOf(unit)]
    })
    for (const step of [...puts, ...then]) {
      say(step.join(' '))
      await run(process.getuid?.() === 0 ? step : ['sudo', '-n', ...step])
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Whether everybody may read some files, and go through the folders that they are in. */
function checkReadable(paths: readonly string[]): void {
  for (const path of paths) {
    for (let part = path; ; part = dirname(part)) {
      const stat = statSync(part)
      const needed = stat.isDirectory() ? 0o001 : 0o004
      if ((stat.mode & needed) === 0)
        throw new OperationalError(
          `The service has a user of its own, which may not ${stat.isDirectory() ? 'look into' : 'read'} ${part}. Put the folder of the program into /opt, or say chmod o+${stat.isDirectory() ? 'x' : 'r'} ${part}`,
        )
      if (part === dirname(part)) break
    }
  }
}

/** Whether a service finds some files, which has other folders than everybody in the place of these: `DynamicUser=`. */
function checkNotPrivate(paths: readonly string[]): void {
  for (const path of paths) {
    const [folder] = /^(?:\/var)?\/tmp(?=\/)/.exec(path) ?? []
    if (folder !== undefined)
      throw new OperationalError(
        `The service has a ${folder} of its own, and would not find ${path}. Put the folder of the program into /opt.`,
      )
  }
}

function isThere(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true
}
