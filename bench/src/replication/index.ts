/** What it costs that no single node can lose a task: beside etcd's puts of the same size, by as many clients, on as many members. */
import { etcd } from '../election/etcd.ts'
import type { Sample } from '../measurement.ts'
import { ask, end, program, told } from '../processes.ts'
import { mediansOf } from '../tasks/latencies.ts'
import { startMembers } from './members.ts'
import type { PuttersOrder, PuttersReport } from './putters.ts'
import type { SubmittersOrder, SubmittersReport } from './submitters.ts'

/** How many hand in at once. */
const CLIENTS = [1, 16, 64]

/** How often one submission, and what it is held against, are measured, in turns. */
const TURNS = 12
const ONE_BY_ONE = 50

/** For how many entries a member is away. */
const AWAY = 100_000

/** How many are acknowledged a second, ours and etcd's by turns, and how long one takes, in µs. */
export async function replicationCosts(hasEtcd: boolean, progress: (what: string) => void): Promise<Sample> {
  const members = await startMembers()
  const theirs = hasEtcd ? await etcd() : undefined
  const sample: Sample = {}
  try {
    for (const clients of CLIENTS) {
      progress(`tasks on three disks, ${clients} at once`)
      sample[`ours ${clients}`] = await submitted(await members.port(), clients)
      if (theirs) sample[`etcd ${clients}`] = await put(theirs.url((await theirs.settled()).name), clients)
      sample[`log ${clients}`] = (await members.tellLeader({ atOnce: clients })).rate
    }
    progress('tasks on three disks, one at a time')
    const submitters = await startSubmitters(await members.port(), 1)
    const putters = theirs && startPutters(theirs.url((await theirs.settled()).name), 1)
    try {
      const turns: Sample[] = []
      for (let turn = 0; turn < TURNS; turn += 1) {
        const { roundTrip } = await submitters.tell({ roundTrips: ONE_BY_ONE })
        const { sync } = await members.tellLeader({ syncs: ONE_BY_ONE })
        const { oneByOne: lone } = await submitters.tell({ oneByOne: ONE_BY_ONE })
        const { oneByOne: put } = putters ? await putters.tell({ oneByOne: ONE_BY_ONE }) : {}
        turns.push({ lone, syncAndTrip: sync + roundTrip, sync, roundTrip, ...(put && { put }) })
      }
      return Object.assign(sample, mediansOf(turns.slice(Math.ceil(TURNS / 3)))) // the first warm up
    } finally {
      submitters.end()
      putters?.end()
    }
  } finally {
    members.end()
    theirs?.end()
  }
}

/** How long it takes until a member that was away has all that it lacks, from its start on, in s. */
export async function returns(progress: (what: string) => void): Promise<Sample> {
  const sample: Sample = {}
  for (const what of ['entries', 'tasks'] as const) {
    const members = await startMembers()
    try {
      progress(`a member that was away for ${AWAY} ${what}`)
      const away = await members.loseOne()
      const { applied } = await members.tellLeader({ [what]: AWAY })
      sample[what] = await members.secondsUntil(away, applied)
    } finally {
      members.end()
    }
  }
  return sample
}

async function submitted(port: number, clients: number): Promise<number> {
  const { tell, end } = await startSubmitters(port, clients)
  try {
    return await rateWhenWarm(() => tell({ atOnce: clients }))
  } finally {
    end()
  }
}

/** What comes of the third order: programs that have just begun are not what is compared, on either side. */
async function rateWhenWarm(order: () => Promise<{ rate: number }>): Promise<number> {
  for (let count = 0; count < 2; count += 1) await order()
  return (await order()).rate
}

async function startSubmitters(port: number, connections: number) {
  const child = program('replication/submitters.ts', [port, connections])
  await told(child)
  return { tell: (order: SubmittersOrder) => ask<SubmittersReport>(child, order), end: () => end([child]) }
}

async function put(url: string, clients: number): Promise<number> {
  const { tell, end } = startPutters(url, clients)
  try {
    return await rateWhenWarm(() => tell({ atOnce: clients }))
  } finally {
    end()
  }
}

function startPutters(url: string, connections: number) {
  const child = program('replication/putters.ts', [url, connections])
  return { tell: (order: PuttersOrder) => ask<PuttersReport>(child, order), end: () => end([child]) }
}
