import { once } from 'node:events'
import { chmodSync, linkSync, renameSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { askForTask, passTasks, remoteTasks, withRootTasks } from '../src/daemon.ts'
import { Dialogue } from '../src/dialogue.ts'
import { OperationalError } from '../src/lifecycle.ts'
import { ListeningNode } from '../src/node.ts'
import { type NodeTask, nodeTasks } from '../src/node-tasks.ts'
import { connect, listen } from '../src/sockets.ts'
import { portOf, recordingLog, stopAfterTest, tempFolder } from './support.ts'

const PATIENCE = { timeout: 30_000, interval: 5 }

/** A task of this test. */
function aTask(run: NodeTask['run']): NodeTask {
  return { does: 'something', changes: true, commands: [], run }
}

/** A node that does tasks, and somebody who has proven the name `node` there, if any. */
async function aNode(node: string | undefined, tasks: Record<string, NodeTask> = {}) {
  const { signal: stop } = stopAfterTest()
  const { log, records } = recordingLog()
  const answers = remoteTasks({
    log,
    tasks: new Map([...nodeTasks({ stop }), ...Object.entries(tasks)]),
    allow: { desk: ['node-time', 'own', 'failing', 'missing'], constructor: [] },
  })
  const listener = await listen(
    {
      peer: 'peer',
      host: '127.0.0.1',
      port: 0,
      stop,
      log,
      secure: async (socket) => ({ socket, ...(node !== undefined && { node }) }),
    },
    async (peer) => await new Dialogue(peer, { answers, unknown: () => {} }).ended,
  )
  const connection = await connect({ peer: 'node', host: '127.0.0.1', port: portOf(listener), stop })
  const dialogue = new Dialogue(connection, { unknown: () => {} })
  dialogue.ended.catch(() => {})
  const lines = () => records.map(({ level, msg }) => `${level} ${msg.replace(/127\.0\.0\.1:\d+/, 'HERE')}`)
  return { ask: (name: string) => askForTask(dialogue, name), dialogue, lines }
}

describe('a task that is asked for from elsewhere', () => {
  test('is done for who may, and both are told', async () => {
    const { ask, lines } = await aNode('desk')
    const [time] = await ask('node-time')
    expect(Math.abs(Number(time) * 1_000 - Date.now())).toBeLessThan(60_000)
    expect(lines()).toEqual([
      'info desk, at HERE, asks for the task node-time, and may: it begins',
      'info The task node-time, for desk, is done',
    ])
  })

  test.each([
    [
      'who has proven no name',
      undefined,
      'node-time',
      'who asks for a task has to prove who it is, by a key',
    ],
    [
      'another one',
      'pi-3',
      'node-time',
      'pi-3 may not ask for that: its task is not in the list of this node',
    ],
    ['one with a strange name', 'toString', 'node-time', 'toString may not ask for that: .*'],
    ['one that may do other things', 'desk', 'reboot', 'desk may not ask for that: .*'],
    ['what is no task', 'desk', 'missing', 'there is no such task here'],
    ['a shell', 'desk', 'node-time; reboot', 'desk may not ask for that: .*'],
  ])('is refused to %s, and both are told', async (_, node, name, why) => {
    const { ask, lines } = await aNode(node)
    await expect(ask(name)).rejects.toThrow(new RegExp(`^The task ${name} was not done: ${why}$`))
    const asker = node === undefined ? 'the peer at HERE' : `${node}, at HERE,`
    expect(lines()).toEqual([
      expect.stringMatching(new RegExp(`^warn ${asker} asks for the task ${name}, and is refused: ${why}$`)),
    ])
  })

  test('may be no text at all, and much too long for a log', async () => {
    const { dialogue, lines } = await aNode('desk')
    for (const about of [undefined, 7, ['reboot'], 'x'.repeat(10_000)])
      expect(await dialogue.ask('task', { answer: 'task_result', about })).toMatchObject({ done: false })
    expect(lines()).toHaveLength(4)
    for (const line of lines()) expect(line.length).toBeLessThan(300)
  })

  test('that fails, says why, with what it had printed', async () => {
    const failing = aTask(async (onLine) => {
      onLine?.('a line')
      throw new OperationalError('the disk is full')
    })
    const { ask, dialogue, lines } = await aNode('desk', { failing })
    expect(await dialogue.ask('task', { answer: 'task_result', about: 'failing' })).toEqual({
      done: false,
      lines: ['a line'],
      why: 'the disk is full',
    })
    await expect(ask('failing')).rejects.toThrow('The task failing was not done: the disk is full')
    expect(lines().at(-1)).toBe('warn The task failing, for desk, was not done: the disk is full')
  })

  test('is at work once at a time, and of what it prints the end comes back', async () => {
    let end = () => {}
    const own = aTask(async (onLine) => {
      for (let count = 1; count <= 1_000; count += 1) onLine?.(`${count}: ${'x'.repeat(2_000)}`)
      await new Promise<void>((resolve) => (end = resolve))
      return ''
    })
    const { ask, lines } = await aNode('desk', { own })
    const first = ask('own')
    await vi.waitFor(() => expect(lines()).toHaveLength(1), PATIENCE)
    await expect(ask('own')).rejects.toThrow('it is at work already, for desk')
    end()
    const printed = await first
    expect(printed).toHaveLength(200)
    expect(printed[0]).toHaveLength(1_000)
    expect(printed.at(-1)).toMatch(/^1000: x/)
    const again = ask('own')
    await vi.waitFor(() => expect(lines().at(-1)).toMatch(/may: it begins$/), PATIENCE)
    end()
    await again
  })
})

test('a task of another node is passed on for who may ask, and that has the last word', async () => {
  const { signal: stop } = stopAfterTest()
  const { log, records } = recordingLog()
  let comesNext: string | undefined
  const secure = async (socket: Socket) => ({ socket, ...(comesNext !== undefined && { node: comesNext }) })
  const node = new ListeningNode({ peer: 'peer', host: '127.0.0.1', port: 0, stop, log, secure })
  let askers = ['desk']
  node.answers = passTasks({ node, askers: () => askers, log })
  const running = node.run()
  const lines = () => records.map(({ level, msg }) => `${level} ${msg}`).filter((line) => / task /.test(line))
  const at = () => records.flatMap(({ msg }) => /Listening on .*:(\d+)$/.exec(msg)?.[1] ?? [])[0]
  await vi.waitFor(() => expect(at()).toBeDefined(), PATIENCE)
  const come = async (name: string | undefined) => {
    comesNext = name
    const before = node.roster.members.length
    const connection = await connect({ peer: 'node', host: '127.0.0.1', port: Number(at()), stop })
    await vi.waitFor(() => expect(node.roster.members).toHaveLength(before + 1), PATIENCE)
    return connection
  }
  const quiet = recordingLog().log
  const endless = aTask(() => new Promise(() => {}))
  const tasks = new Map([...nodeTasks({ stop }), ['endless', endless] as const])
  const allow = { head: ['node-time', 'endless'] }
  const answers = remoteTasks({ allow, tasks, who: () => 'head', log: quiet })
  const cable = await come('pi-3')
  const doer = new Dialogue(cable, { answers, unknown: () => {} })
  const desk = new Dialogue(await come('desk'), { unknown: () => {} })
  const stranger = new Dialogue(await come(undefined), { unknown: () => {} })
  for (const { ended } of [doer, desk, stranger]) ended.catch(() => {})

  const [time] = await askForTask(desk, 'node-time', { of: 'pi-3' })
  expect(Number(time)).toBeGreaterThan(1_700_000_000)
  expect(lines()).toEqual([
    'info desk asks for the task node-time of pi-3',
    'info The task node-time of pi-3, for desk, is done',
  ])
  const refused = (asker: Dialogue, task: string, of: string) =>
    expect(askForTask(asker, task, { of })).rejects
  await refused(desk, 'reboot', 'pi-3').toThrow('head may not ask for that')
  expect(lines().at(-1)).toMatch(/^warn desk asks for the task reboot of pi-3, and is refused: head may not/)
  await refused(desk, 'node-time', 'pi-4').toThrow('no node pi-4 is here')
  await refused(stranger, 'node-time', 'pi-3').toThrow('may not ask nodes for tasks')
  askers = []
  await refused(desk, 'node-time', 'pi-3').toThrow('desk may not ask nodes for tasks')
  expect(await desk.ask('task_of', { answer: 'task_result', about: 'reboot' })).toMatchObject({ done: false })
  const peer = node.roster.entries[0]?.[0]
  if (!peer) throw new Error('nobody is here')

  askers = ['desk']
  const unfinished = expect(askForTask(desk, 'endless', { of: 'pi-3' })).rejects
  await vi.waitFor(() => expect(lines().at(-1)).toBe('info desk asks for the task endless of pi-3'), PATIENCE)
  cable.fail(new Error('pulled'))
  await unfinished.toThrow(/^Whether the task endless was done is not known: Lost the connection/)
  expect(lines().at(-1)).toMatch(/^warn Whether the task endless of pi-3, for desk, was done is not known: /)
  await vi.waitFor(() => expect(node.roster.members).toHaveLength(2), PATIENCE)
  await expect(node.ask(peer, 'task', { answer: 'task_result' })).rejects.toThrow(
    /has gone, and cannot be asked/,
  )
  void running
})

describe.skipIf(process.platform === 'win32')('a task that root does', () => {
  /** A socket as systemd has it for a task, which says something, and perhaps ends. */
  async function aSocket(says: (socket: Socket) => void) {
    const folder = tempFolder()
    const { signal: stop } = stopAfterTest()
    const server = createServer(says).listen(join(folder, 'reboot'))
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const tasks = withRootTasks(nodeTasks({ stop, isRoot: true }), { folder, stop })
    return { folder, reboot: tasks.get('reboot') as NodeTask, tasks }
  }

  test('is done when systemd says so, and no word is said to it', async () => {
    let heard = ''
    const { reboot } = await aSocket((socket) => {
      socket.setEncoding('utf8').on('data', (text) => (heard += text))
      socket.end('ended: success 0\n')
    })
    const lines: string[] = []
    await reboot.run((line) => lines.push(line))
    expect(lines).toEqual([
      'Root has done it. What it printed is in the journal: journalctl -t rpicluster-task-reboot',
    ])
    expect(heard).toBe('')
  })

  test.each([
    ['ended: exit-code 1\n', /^Root has tried "reboot", and it failed: exit-code 1\. journalctl -t /],
    ['ended: timeout \n', /^Root has tried "reboot", and it failed: timeout\. /],
    ['', /^Root has not said what came of "reboot"\. Is another one like it at work\?/],
    ['success', /^Root has not said what came of /],
  ])('and of which is said %j is not done', async (says, why) => {
    const { reboot } = await aSocket((socket) => void socket.end(says))
    await expect(reboot.run()).rejects.toThrow(why)
  })

  test('for which nobody listens is a line that says so', async () => {
    const { folder, reboot } = await aSocket((socket) => void socket.destroy())
    rmSync(join(folder, 'reboot'))
    const server = createServer().listen(join(folder, 'reboot'))
    await once(server, 'listening')
    // What a process leaves that was killed: systemd is killed with its machine.
    linkSync(join(folder, 'reboot'), join(folder, 'left'))
    server.close()
    await once(server, 'close')
    renameSync(join(folder, 'left'), join(folder, 'reboot'))
    await expect(reboot.run()).rejects.toThrow(/^Root cannot be asked for "reboot": nobody listens on /)
  })

  test.skipIf(process.getuid?.() === 0)('that was not granted is a line that says so', async () => {
    const { folder, reboot } = await aSocket((socket) => void socket.destroy())
    chmodSync(join(folder, 'reboot'), 0)
    await expect(reboot.run()).rejects.toThrow(/it was not granted to this program/)
  })

  test('is done by the program itself where there is no such socket', async () => {
    const tasks = new Map([['own', aTask(async () => 'by itself')]])
    expect(await withRootTasks(tasks, { folder: tempFolder() }).get('own')?.run()).toBe('by itself')
  })
})
