/** The whole way: who hands in, the primary, and nodes that do tasks, over sockets with keys. */
import { setMaxListeners } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { openKey, openKeys } from '../src/key-files.ts'
import { ConnectingNode, ListeningNode } from '../src/node.ts'
import { encryptedBy, encryptedWith } from '../src/secure-sockets.ts'
import { TaskClient, type TaskState, Tasks, type TasksOptions } from '../src/tasks.ts'
import { HOST, onTheWay } from './secure-support.ts'
import { recordingLog, start, stopAfterTest, tempFolder } from './support.ts'
import { file, PATIENCE, TaskWorker, tasks, ConnectingNode as WorkingNode } from './task-support.ts'

/** A primary with keys for nodes, and somebody who hands in. */
async function aCluster(options: Partial<TasksOptions> = {}) {
  const stopping = stopAfterTest()
  const { signal: stop } = stopping
  setMaxListeners(0, stop)
  const { log, records } = recordingLog()
  const folder = tempFolder()
  const keys = await openKeys({ folder: join(folder, 'keys'), nodes: ['desk', 'pi-1', 'pi-2'], log, stop })
  const keyFile = (name: string) => join(folder, 'keys', `${name}.key`)
  const secureAs = async (name: string) => encryptedBy(await openKey({ file: keyFile(name), log, stop }))

  const primary = new ListeningNode({
    ...{ peer: 'node', host: HOST, port: 0, secure: encryptedWith(keys, { stop, log }), stop, log },
  })
  const desk = new Tasks({ node: primary, tasks, submitters: () => ['desk'], log, stop, ...options })
  primary.handlers = { ...desk.handlers }
  primary.answers = { ...desk.answers }
  void primary.run()
  const says = (line: RegExp) =>
    vi.waitFor(() => {
      const found = records.map(({ msg }) => line.exec(msg)).find((match) => match !== null)
      expect(found, `${line}`).toBeDefined()
      return found?.[1] ?? ''
    }, PATIENCE)
  const port = Number(await says(/Listening on .*:(\d+)$/))

  class Submitter extends ConnectingNode {
    readonly tasks = new TaskClient(this)
    override handlers = this.tasks.handlers
  }
  const submitter = new Submitter({
    peer: 'primary',
    host: HOST,
    port,
    secure: await secureAs('desk'),
    stop,
    log,
  })
  submitter.run().catch(() => {})
  const { tasks: client } = submitter
  const stateOf = async (id: string) => (await client.states({ ids: [id] }))[0] as TaskState

  return {
    folder,
    port,
    client,
    says,
    keyFile,
    /** Ends the primary, and who hands in. */
    end: () => stopping.abort(),
    /** Once this is so of a task. */
    becomes: (id: string, state: Partial<TaskState>) =>
      vi.waitFor(async () => expect(await stateOf(id)).toMatchObject(state), PATIENCE),
    /** A node of this process that does tasks, one at once. */
    async aNode(name: string, through = port) {
      class Node extends WorkingNode {
        readonly worker = new TaskWorker({ node: this, file, tasks, slots: 1, log, stop })
        override handlers = { ...this.worker.handlers }

        override async greet() {
          await this.worker.introduce()
        }
      }
      const node = new Node({
        peer: 'primary',
        host: HOST,
        port: through,
        secure: await secureAs(name),
        stop,
        log,
      })
      node.run().catch(() => {})
      await says(new RegExp(`${name} does tasks: `))
      return node
    },
    /** The same as a process of its own. */
    async aProcess(name: string) {
      const program = start('does-tasks.ts', [`${port}`, keyFile(name)], { cwd: folder })
      await says(new RegExp(`${name} does tasks: `))
      return program
    },
  }
}

const exists = (path: string) => vi.waitFor(() => expect(existsSync(path)).toBe(true), PATIENCE)

test('a task is done, one that fails each time has failed, and one is ended while it is at work', async () => {
  const { client, aNode, becomes, folder } = await aCluster({ attempts: 2 })
  const node = await aNode('pi-1')
  const input = { text: 'Grüße\r\n', list: [1, null, { deep: true }] }
  await client.submit(
    [
      { id: 'good', name: 'echo', input },
      { id: 'bad', name: 'throws', input: 'an error' },
    ],
    { follow: true },
  )
  const ends = []
  for await (const end of client.ends()) ends.push(end)
  expect(ends).toMatchObject([
    { id: 'good', by: 'desk', state: 'done', node: 'pi-1', attempts: 1, result: input },
    { id: 'bad', state: 'failed', node: 'pi-1', attempts: 2, lost: 0, kind: 'threw' },
  ])
  expect(ends[1]?.reason).toMatch(/^Error: it does not work/)
  const none = join(folder, 'none')
  await client.submit([{ id: 'long', name: 'attempts', input: { file: none } }])
  await exists(`${none}-1`)
  expect(await client.cancel({ ids: ['long'] })).toBe(1)
  await becomes('long', { state: 'cancelled', node: 'pi-1' })
  await vi.waitFor(() => expect(node.worker.running).toEqual([]), PATIENCE)
})

test('what a node had that is killed is done by another one, which finishes before it stops', async () => {
  const { client, aProcess, becomes, folder } = await aCluster()
  const there = join(folder, 'there')
  const killed = await aProcess('pi-1')
  await client.submit([{ id: 'a', name: 'attempts', input: { file: there, hangs: 1 } }])
  await exists(`${there}-1`)
  const other = await aProcess('pi-2')
  killed.child.kill('SIGKILL')
  await becomes('a', { state: 'running', node: 'pi-2', attempts: 2, lost: 1 })
  await exists(`${there}-2`)
  other.child.kill('SIGTERM')
  await vi.waitFor(() => expect(other.stdout).toContain('Asked to stop'), PATIENCE)
  await client.submit([{ id: 'b', name: 'empty' }])
  writeFileSync(there, '')
  await becomes('a', { state: 'done', node: 'pi-2', result: 2 })
  expect(await other.ended).toBe(0)
  await becomes('b', { state: 'waiting', attempts: 0, lost: 0 })
})

describe('a node that is stopped after its primary does not wait for that', () => {
  /** Stops a node whose primary has gone, and waits until it has ended. */
  async function stopAlone(
    { end, aProcess }: Awaited<ReturnType<typeof aCluster>>,
    work: () => Promise<void>,
  ) {
    const node = await aProcess('pi-1')
    await work()
    end()
    await vi.waitFor(() => expect(node.stdout).toContain('Lost the connection to the primary'), PATIENCE)
    node.child.kill('SIGTERM')
    expect(await node.ended).toBe(0)
    expect(node.stdout).toContain('Nobody is there to be told what came of its last tasks')
    // That is what it says when all the time is over that it has for its drain.
    expect(node.stdout).not.toContain('Not all of it was finished')
  }

  test('to tell it once more what came of its tasks', async () => {
    const cluster = await aCluster()
    await stopAlone(cluster, async () => {
      await cluster.client.submit([{ id: 'a', name: 'empty' }])
      await cluster.becomes('a', { state: 'done', node: 'pi-1' })
    })
  })

  test('to tell it what will have come of them', async () => {
    const cluster = await aCluster()
    const never = join(cluster.folder, 'never')
    await stopAlone(cluster, async () => {
      await cluster.client.submit([{ id: 'a', name: 'attempts', input: { file: never } }])
      await exists(`${never}-1`)
    })
  })
})

test('a node that is stopped together with its primary does not tell of its loss', async () => {
  const { client, aProcess, end, folder } = await aCluster()
  const node = await aProcess('pi-1')
  const never = join(folder, 'never')
  await client.submit([{ id: 'a', name: 'attempts', input: { file: never } }])
  await exists(`${never}-1`)
  node.child.kill('SIGTERM')
  await vi.waitFor(() => expect(node.stdout).toContain('Asked to stop'), PATIENCE)
  end()
  expect(await node.ended).toBe(0)
  expect(node.stdout).toContain('Nobody is there to be told')
  expect(node.stdout).not.toMatch(/Lost the connection|Waiting until/)
})

test('a node whose link was cut goes on with what it had', async () => {
  const { client, aNode, becomes, says, folder, port } = await aCluster()
  const way = await onTheWay(port)
  await aNode('pi-1', way.port)
  const there = join(folder, 'there')
  await client.submit([{ id: 'a', name: 'attempts', input: { file: there } }])
  await exists(`${there}-1`)
  way.cut()
  await becomes('a', { state: 'waiting', lost: 1 })
  way.heal()
  await says(/^pi-1 goes on with 1 task that it had before$/)
  writeFileSync(there, '')
  await becomes('a', { state: 'done', node: 'pi-1', attempts: 1, lost: 0, result: 1 })
})

test('what a node has done whose link was cut is taken, though another one is at it', async () => {
  const { client, aNode, becomes, folder, port } = await aCluster()
  const way = await onTheWay(port)
  const cut = await aNode('pi-1', way.port)
  const there = join(folder, 'there')
  await client.submit([{ id: 'a', name: 'attempts', input: { file: there, hangs: 2 } }])
  await exists(`${there}-1`)
  way.cut()
  const other = await aNode('pi-2')
  await exists(`${there}-2`)
  writeFileSync(there, '')
  await vi.waitFor(() => expect(cut.worker.running).toEqual([]), PATIENCE)
  way.heal()
  await becomes('a', { state: 'done', node: 'pi-1', attempts: 1, lost: 0, result: 1 })
  await vi.waitFor(() => expect(other.worker.running).toEqual([]), PATIENCE)
})
