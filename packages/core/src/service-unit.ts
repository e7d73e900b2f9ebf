/**
 * A unit for a program: the text by which systemd starts it at boot, and again when it has ended, and watches it. One
 * template serves all programs.
 *
 * @since 0.12.0
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, extname, join } from 'node:path'
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

/**
 * The unit for a program that lies beside this one, and is started by the same Node in the same way.
 *
 * @param program its name: `slave`, for `slave.js` beside `service.js`
 * @throws OperationalError when there is no such program
 */
export function unitOf(program: string): Unit {
  const script = process.argv[1] ?? ''
  const file = join(dirname(script), `${program}${extname(script)}`)
  if (!/^[\w-]+$/.test(program) || !isThere(file))
    throw new OperationalError(
      `There is no program "${program}" beside ${script}. Name one that is there, as in "slave".`,
    )
  const folder = programFolder()
  const command = [process.execPath, ...process.execArgv, file]
  return {
    name: `rpicluster-${program}.service`,
    text: unitText({ program, folder, command }),
    needs: [process.execPath, file, folder],
  }
}

function unitText({
  program,
  folder,
  command,
}: {
  program: string
  folder: string
  command: readonly string[]
}) {
  return `[Unit]
Description=Raspberry Pi cluster: ${program}
# A node that starts before the network has its addresses would fail, and be started again.
Wants=network-online.target
After=network-online.target
# However often it has ended: it is started again.
StartLimitIntervalSec=0

[Service]
# The program says itself when it is ready, and that it still lives.
Type=notify
NotifyAccess=all
WatchdogSec=30
ExecStart=${command.map(quoted).join(' ')}
WorkingDirectory=${folder.replaceAll('%', '%%')}
Restart=always
RestartSec=5
# A user of its own, made for as long as it runs, that owns nothing but its log files, in /var/log/rpicluster-${program}.
DynamicUser=yes
LogsDirectory=rpicluster-${program}
# It needs no more than the network.
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
 * @throws OperationalError when its user could not read the program, when a step fails, or when the program does not
 *   become ready; then the unit is there, and systemd goes on trying
 */
export async function installUnit(unit: Unit, say: (line: string) => void): Promise<void> {
  checkReadable(unit.needs)
  const folder = mkdtempSync(join(tmpdir(), 'unit-'))
  try {
    const file = join(folder, unit.name)
    writeFileSync(file, unit.text)
    const run = (command: Command) =>
      runCommand(command, { folder, timeoutMs: STEP_TIMEOUT_MS, stop: stopRequest })
    await run(['systemctl', 'show', '--property=Version']) // where no systemd is, nothing is left behind
    const steps: Command[] = [
      ['install', '-m', '644', file, join(UNITS_FOLDER, unit.name)],
      ['systemctl', 'daemon-reload'],
      ['systemctl', 'enable', unit.name],
      ['systemctl', 'restart', unit.name],
    ]
    for (const step of steps) {
      say(step.join(' '))
      await run(process.getuid?.() === 0 ? step : ['sudo', '-n', ...step])
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  say(`It runs, and will whenever this machine starts. systemctl status ${unit.name} says how it does,`)
  say(`journalctl -fu ${unit.name} what it logs.`)
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

function isThere(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true
}
