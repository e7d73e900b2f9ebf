/**
 * Tasks that only root may do, for a program that is not root and can never become it: systemd does them. For each task that
 * was granted there is a socket, and who may open it may have that one task done, and say nothing else.
 *
 * @since 0.23.0
 */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { OperationalError, stopRequest } from './lifecycle.ts'
import { type NodeTask, nodeTasks } from './node-tasks.ts'
import type { Unit } from './service-unit.ts'

/** Where the sockets of granted tasks are. */
const TASKS_FOLDER = '/run/rpicluster-tasks'

/** How long a task may take, in s: as long as an update of the system. */
const TASK_TIMEOUT_S = 2 * 60 * 60

/** What systemd says of a task when it has ended, as in `ended: success 0`. */
const END = /^ended: (\S+) (\S*)$/m

/**
 * The group that may open the socket of a task.
 *
 * @internal
 */
export function groupOf(task: string): string {
  return `rpicluster-task-${task}`
}

/**
 * The units for a task: a socket for a group of its own, and what is done by root for each who opens it. No word of whoever
 * opens it is read, and what is done stands in the unit.
 *
 * @param name of the task: `reboot`
 * @throws OperationalError when there is no such task, or it changes nothing, so that nobody has to be root for it
 * @internal
 */
export function rootTaskUnits(name: string): readonly [socket: Unit, service: Unit] {
  const tasks = [...nodeTasks({ isRoot: true, stop: AbortSignal.abort() })].filter(([, { commands }]) =>
    commands.every(isForRoot),
  )
  const task = tasks.find(([other, { changes }]) => changes && other === name)?.[1]
  if (!task)
    throw new OperationalError(
      `There is no task "${name}" that root could do for a program. There is: ${tasks.flatMap(([other, { changes }]) => (changes ? other : [])).join(', ')}.`,
    )
  const unit = `rpicluster-task-${name}`
  return [
    {
      name: `${unit}.socket`,
      needs: [],
      text: `[Unit]
Description=Raspberry Pi cluster: who may ${task.does}

[Socket]
ListenStream=${join(TASKS_FOLDER, name)}
# A program has it done that is in this group, and nobody else. It says nothing, and is told how it ended.
SocketGroup=${groupOf(name)}
SocketMode=0660
Accept=yes
# One at a time: who comes meanwhile is sent away.
MaxConnections=1

[Install]
WantedBy=sockets.target
`,
    },
    {
      name: `${unit}@.service`,
      needs: [],
      text: `[Unit]
Description=Raspberry Pi cluster: ${task.does}
CollectMode=inactive-or-failed

[Service]
Type=oneshot
TimeoutStartSec=${TASK_TIMEOUT_S}
Environment=LC_ALL=C DEBIAN_FRONTEND=noninteractive
StandardInput=socket
# What it prints goes to the journal: it must not fail because nobody listens any more.
${task.commands.map((command) => `ExecStart=systemd-cat --identifier=${unit} ${command.join(' ')}`).join('\n')}
ExecStopPost=printf "ended: %%s %%s\\\\n" \${SERVICE_RESULT} \${EXIT_STATUS}
`,
    },
  ]
}

/** Whether a command is one that a user would need sudo for. Those of git are not: they belong to whose code it is. */
function isForRoot([program]: readonly string[]): boolean {
  return program !== 'git'
}

/**
 * The same tasks; those that root does for this program are done by systemd.
 *
 * @param tasks those of `nodeTasks`
 * @param options `folder`: where the sockets are; default: where the units have them. `stop`: what ends the wait for one;
 *   default: the stop signal of this program. The task itself goes on.
 */
export function withRootTasks(
  tasks: ReadonlyMap<string, NodeTask>,
  { folder = TASKS_FOLDER, stop = stopRequest }: { folder?: string; stop?: AbortSignal } = {},
): ReadonlyMap<string, NodeTask> {
  return new Map(
    [...tasks].map(([name, task]) => {
      const path = join(folder, name)
      const run: NodeTask['run'] = async (onLine) => {
        if (!existsSync(path)) return task.run(onLine)
        await haveDone(name, path, stop)
        const line = `Root has done it. What it printed is in the journal: journalctl -t rpicluster-task-${name}`
        onLine?.(line)
        return line
      }
      return [name, task.changes ? { ...task, run } : task]
    }),
  )
}

async function haveDone(name: string, path: string, stop: AbortSignal): Promise<void> {
  stop.throwIfAborted()
  const socket = connect(path)
  const timeout = setTimeout(() => socket.destroy(new Error('it takes too long')), TASK_TIMEOUT_S * 1_000)
  const stopped = () => socket.destroy()
  stop.addEventListener('abort', stopped, { once: true })
  let said = ''
  try {
    await once(socket, 'connect')
    for await (const piece of socket.setEncoding('utf8')) said += piece
  } catch (error) {
    stop.throwIfAborted()
    throw new OperationalError(`Root cannot be asked for "${name}": ${whyNot(error, path)}`, {
      cause: error,
    })
  } finally {
    clearTimeout(timeout)
    stop.removeEventListener('abort', stopped)
    socket.destroy()
  }
  stop.throwIfAborted()
  const [, result, status] = END.exec(said) ?? []
  if (result === 'success') return
  const journal = `journalctl -t rpicluster-task-${name} says more.`
  throw new OperationalError(
    result === undefined
      ? `Root has not said what came of "${name}". Is another one like it at work? ${journal}`
      : `Root has tried "${name}", and it failed: ${result}${status ? ` ${status}` : ''}. ${journal}`,
  )
}

function whyNot(error: unknown, path: string): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EACCES') return `it was not granted to this program, which may not open ${path}.`
  if (code === 'ECONNREFUSED') return `nobody listens on ${path}. Is its socket unit started?`
  return `${message}.`
}
