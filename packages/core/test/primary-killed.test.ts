/** Who hands out tasks is killed, and another one goes on with what it has written down: programs, over sockets with keys. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { openKey, openKeys } from '../src/key-files.ts'
import { ConnectingNode } from '../src/node.ts'
import { encryptedBy } from '../src/secure-sockets.ts'
import { TaskClient, type TaskState } from '../src/tasks.ts'
import { HOST, onTheWay } from './secure-support.ts'
import { type Program, recordingLog, start, stopAfterTest, tempFolder } from './support.ts'
import { PATIENCE } from './task-support.ts'

/** Waits until a program says this, and returns what is in its parentheses. */
const says = (program: Program, line: RegExp) =>
  vi.waitFor(() => {
    const found = line.exec(program.stdout)
    expect(found, `${line} in ${program.stdout}${program.stderr}`).not.toBeNull()
    return found?.[1] ?? ''
  }, PATIENCE)

/** A primary, which can be killed and started again, a node whose way to it can be cut, and somebody who hands in. */
async function aCluster() {
  const { signal: stop } = stopAfterTest()
  const { log } = recordingLog()
  const folder = tempFolder()
  const keys = join(folder, 'keys')
  await openKeys({ folder: keys, nodes: ['desk', 'pi-1', 'pi-2'], log, stop })
  const startPrimary = async (port: string) => {
    const primary = start('hands-out-tasks.ts', [port, keys, join(folder, 'tasks')], { cwd: folder })
    return { primary, port: await says(primary, /Listening on .*:(\d+)$/m) }
  }
  const { primary, port } = await startPrimary('0')
  const way = await onTheWay(Number(port))
  start('does-tasks.ts', [`${way.port}`, join(keys, 'pi-1.key')], { cwd: folder })
  await says(primary, /pi-1 does tasks: /)

  class Submitter extends ConnectingNode {
    readonly tasks = new TaskClient(this)
    override handlers = this.tasks.handlers
  }
  const secure = encryptedBy(await openKey({ file: join(keys, 'desk.key'), log, stop }))
  const to = { peer: 'primary', host: HOST, port: Number(port), longestPauseMs: 200 }
  const submitter = new Submitter({ ...to, secure, stop, log })
  submitter.run().catch(() => {})
  const { tasks: client } = submitter
  return {
    ...{ folder, primary, way, client },
    /** What there is, once it is killed. */
    startAgain: async () => {
      primary.child.kill('SIGKILL')
      await primary.ended
      return (await startPrimary(port)).primary
    },
    /** Once this is so of a task. */
    becomes: (id: string, state: Partial<TaskState>) =>
      vi.waitFor(async () => expect(await client.states({ ids: [id] })).toMatchObject([state]), PATIENCE),
  }
}

const exists = (path: string) => vi.waitFor(() => expect(existsSync(path)).toBe(true), PATIENCE)

test.each(['is at it still', 'has done it meanwhile'])(
  'a node that was lost with a task, and comes back when another one hands out, has not begun in vain: it %s',
  async (how) => {
    const { folder, primary, way, client, startAgain, becomes } = await aCluster()
    const there = join(folder, 'there')
    await client.submit([{ id: 'a', name: 'attempts', input: { file: there } }])
    await exists(`${there}-1`)
    way.cut()
    await says(primary, /pi-1 is gone with 1 task in work/)
    await becomes('a', { state: 'waiting', attempts: 1, lost: 1 })
    if (how === 'has done it meanwhile') writeFileSync(there, '')
    const next = await startAgain()
    way.heal()
    await says(next, /pi-1 goes on with 1 task that it had before/)
    writeFileSync(there, '')
    await becomes('a', { state: 'done', node: 'pi-1', attempts: 1, lost: 0, result: 1 })
    expect(existsSync(`${there}-2`)).toBe(false)
  },
)
