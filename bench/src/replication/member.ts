/**
 * A member that keeps a log of tasks: `member.ts NAME MEMBERS FOLDER`. While it leads it listens for those who submit. It tells when
 * it leads, and, asked, measures what its log and its disk take, and where it is.
 */
import { setMaxListeners } from 'node:events'
import { join } from 'node:path'
import type { ClusterMember } from '@rpi-cluster/core/election'
import { openKey, openKeys } from '@rpi-cluster/core/key-files'
import { ListeningNode } from '@rpi-cluster/core/node'
import { type LogReign, openReplicatedLog } from '@rpi-cluster/core/replicated-log'
import { replicatedJournal, TaskLedger } from '@rpi-cluster/core/replicated-tasks'
import { encryptedWith } from '@rpi-cluster/core/secure-sockets'
import { Tasks } from '@rpi-cluster/core/tasks'
import { noLog as log } from '../no-log.ts'
import { medianSync } from '../task-store/median-sync.ts'
import { rateOf } from '../task-store/rate.ts'
import { tasks } from '../tasks/definitions.ts'
import { SUBMITTER, stop } from '../tasks/keys.ts'
import { HOST, VALUE_SIZE } from './value.ts'

export interface MemberOrder {
  /** How many at once have something in the log, each again and again. */
  atOnce?: number
  /** How many entries are to be in the log that change nothing; and how many with a task each. */
  entries?: number
  tasks?: number
  /** How many times a file is written to and synchronised. */
  syncs?: number
}

export interface MemberReport {
  /** Whether it leads. */
  leads: boolean
  /** How many entries it has applied. */
  applied: number
  /** Committed, a second. */
  rate: number
  /** How long half of the synchronisations took at most, in µs. */
  sync: number
}

/** More than are submitted in any measurement. */
const MOST_WAITING = 10_000_000

/** How many entries are proposed together where there are to be many. */
const TOGETHER = 1_000

setMaxListeners(0, stop)
const [name = '', list = '[]', folder = ''] = process.argv.slice(2)
const members: ClusterMember[] = JSON.parse(list)
const own = members.find((member) => member.name === name)
if (!own) throw new Error(`${name} is no member`)
const keys = await openKeys({ folder: join(folder, 'keys'), nodes: [], log, stop })
const key = await openKey({ file: join(folder, 'keys', `${name}.key`), log, stop })
const secure = encryptedWith(keys, { stop, log })
const ledger = new TaskLedger()
const kept = await openReplicatedLog({ name, members, key, machine: ledger, log, stop })
const member = new ListeningNode({ peer: 'member', host: HOST, port: own.port, secure, stop, log })
member.handlers = kept.handlers
member.answers = kept.answers
let reign: LogReign | undefined

process.on('disconnect', () => process.exit())
process.on('message', async ({ atOnce = 0, entries = 0, tasks = 0, syncs = 0 }: MemberOrder) => {
  for (let count = 0; count < entries; count += TOGETHER)
    await Promise.all(Array.from({ length: TOGETHER }, () => reign?.propose('[]')))
  for (let count = 0; count < tasks; count += TOGETHER)
    await Promise.all(Array.from({ length: TOGETHER }, (_, place) => reign?.propose(taskOf(count + place))))
  process.send?.({
    leads: reign !== undefined,
    rate: atOnce && (await rateOf(atOnce, async () => await reign?.propose(ENTRY))),
    sync: syncs && (await medianSync(folder, syncs)),
    applied: kept.details.applied,
  } satisfies MemberReport)
})

/** What a ledger takes, and what changes nothing there, since it does not know that task. */
const ENTRY = JSON.stringify([{ kind: 'retried', id: 'unknown' }]).padEnd(VALUE_SIZE)

function taskOf(number: number): string {
  const input = JSON.stringify('x'.repeat(VALUE_SIZE - 2))
  const event = {
    kind: 'submitted',
    id: `task-${number}`,
    name: 'empty',
    input,
    by: SUBMITTER,
    at: Date.now(),
  }
  return JSON.stringify([event])
}

const leads = kept.whileLeading(async (now, over) => {
  reign = now
  const { leaderPort: port } = own
  const primary = new ListeningNode({ peer: 'node', host: HOST, port, secure, stop: over, log })
  const desk = new Tasks({
    ...{ node: primary, tasks, submitters: () => [SUBMITTER], mostWaiting: MOST_WAITING, log, stop: over },
    ...{ journal: replicatedJournal(now, ledger), clock: () => now.time(), desk: 'cluster' },
    term: { number: now.term, isHeld: () => now.isHeld() },
    mostWaitingBytes: Number.POSITIVE_INFINITY,
  })
  primary.handlers = desk.handlers
  primary.answers = { ...desk.answers, nothing: () => ({ type: 'nothing', payload: null }) }
  await primary.run()
  reign = undefined
})
await Promise.all([kept.run(), member.run(), leads])
