import { max, quantileSorted } from 'simple-statistics'
import { delivered, frozenCost } from './broadcast/index.ts'
import { beats, hellos, idleMemory, type Thousand, thousand } from './cluster/index.ts'
import { crowd } from './crowd/index.ts'
import { failovers } from './election/index.ts'
import { type Herd, herd, peak, WAYS, type Way } from './herd/index.ts'
import type { Comparison, Goal, Measurement, Sample, Unit } from './measurement.ts'
import type { Window } from './meter.ts'
import { pageCosts } from './page/index.ts'
import { canHoldToCores } from './processes.ts'
import { replicationCosts, returns } from './replication/index.ts'
import { roundTrips } from './round-trip.ts'
import { secureCosts } from './secure/index.ts'
import { storeCosts } from './store/index.ts'
import { monthCosts, taskStoreCosts } from './task-store/index.ts'
import { taskCosts } from './tasks/index.ts'
import { limit, throughput } from './throughput.ts'

const WINDOW: Window = { warmUpMs: 500, measureMs: 1000 }

const MIB = 1024 * 1024

/** Who takes part in the measurements of throughput, and where the NATS server of this run listens. */
export interface Setting {
  contestants: readonly string[]
  natsPort: number
  progress: (what: string) => void
  hasRedis: boolean
  hasEtcd: boolean
  /** Is told what this machine cannot do. */
  leaveOut: (why: string) => void
  /** Is given how slaves came back. */
  onHerd?: (herds: Record<Way, Herd>) => void
}

/** All that is measured, with the goals. */
export function measurements(setting: Setting): Measurement[] {
  return [
    throughputOf('62-byte messages', 62, setting, {
      python: { atLeast: 6 },
      nats: { atLeast: 4 },
      ws: { atLeast: 10 },
      parse: { atLeast: 0.5, neverUnder: 0.4 },
    }),
    throughputOf('1 KiB messages', 1024, setting, {
      python: { atLeast: 2.5 },
      nats: { atLeast: 2.5 },
      stringify: { atLeast: 0.75, neverUnder: 0.6 },
    }),
    throughputOf('64 KiB messages', 64 * 1024, setting, {
      python: { atLeast: 10 },
      zeromq: { atLeast: 1 },
    }),
    largeMessages(setting),
    requests(setting),
    idle(setting),
    beating(setting),
    helloes(setting),
    aThousand(setting),
    aHerd(setting),
    aCrowd(setting),
    aPage(setting),
    aStore(setting),
    aBroadcast(setting),
    secured(setting),
    tasks(setting),
    aTaskStore(setting),
    aMonthOfTasks(setting),
    anElection(setting),
    aReplication(setting),
    aReturn(setting),
  ]
}

function throughputOf(
  what: string,
  size: number,
  { contestants, natsPort, progress }: Setting,
  goals: Record<string, Goal>,
): Measurement {
  const others = [...contestants.filter((name) => name !== 'core'), 'parse', 'stringify']
  return {
    name: what.split(' ').slice(0, -1).join(''),
    what,
    unit: 'messages a second',
    comparisons: others.map((theirs): Comparison => {
      const goal = goals[theirs]
      return { ours: 'core', theirs, ...(goal && { goal }) }
    }),
    async measure() {
      const sample: Sample = {}
      for (const name of contestants) {
        progress(`${what}: ${name}`)
        const address = { port: name === 'nats' ? natsPort : 0 }
        sample[name] = (await throughput(name, size, WINDOW, address)).perSecond
      }
      for (const what of ['parse', 'stringify'] as const) {
        progress(`${size} bytes: JSON.${what} alone`)
        sample[what] = (await limit(what, size, WINDOW)).perSecond
      }
      return sample
    },
  }
}

function largeMessages({ progress }: Setting): Measurement {
  const nsPerByte = async (size: number) => {
    const { perSecond } = await throughput('core', size, WINDOW, { port: 0 })
    return 1e9 / (perSecond * size)
  }
  return {
    name: '8MiB',
    what: '8 MiB messages, time a byte',
    unit: 'nanoseconds a byte',
    comparisons: [{ ours: '8 MiB', theirs: '64 KiB', goal: { atMost: 1.5 } }],
    async measure() {
      progress('8 MiB messages')
      return { '8 MiB': await nsPerByte(8 * MIB), '64 KiB': await nsPerByte(64 * 1024) }
    },
  }
}

function requests({ progress }: Setting): Measurement {
  return {
    name: 'requests',
    what: 'request and answer, 62 bytes',
    unit: 'microseconds',
    comparisons: ['a core each', 'anywhere'].flatMap((where): Comparison[] => [
      {
        of: `p50, ${where}`,
        ours: `core p50, ${where}`,
        theirs: `raw echo p50, ${where}`,
        goal: { atMost: 1.1 },
      },
      {
        of: `p99, ${where}`,
        ours: `core p99, ${where}`,
        theirs: `raw echo p99, ${where}`,
        goal: { atMost: 1.3 },
      },
      { of: `p50, ${where}`, ours: `core p50, ${where}`, theirs: `ws p50, ${where}` },
      { of: `p99, ${where}`, ours: `core p99, ${where}`, theirs: `ws p99, ${where}` },
    ]),
    async measure() {
      const sample: Sample = {}
      for (const where of ['anywhere', ...(canHoldToCores ? ['a core each'] : [])]) {
        progress(`request and answer, ${where}`)
        const found = await roundTrips(['raw echo', 'core', 'ws'], { aCoreEach: where === 'a core each' })
        for (const [name, { p50, p99 }] of Object.entries(found)) {
          sample[`${name} p50, ${where}`] = p50
          sample[`${name} p99, ${where}`] = p99
        }
      }
      return sample
    },
  }
}

function idle({ progress }: Setting): Measurement {
  return {
    name: 'idle',
    what: 'memory of an idle slave, of 10,000',
    unit: 'KiB',
    mostRounds: 3,
    comparisons: [
      { ours: 'core', goal: { atMost: 8 } },
      { ours: 'core', theirs: 'bare sockets' },
    ],
    async measure() {
      progress('10,000 idle slaves')
      return {
        core: (await idleMemory('core')) / 1024,
        'bare sockets': (await idleMemory('bare')) / 1024,
      }
    },
  }
}

function beating({ progress }: Setting): Measurement {
  return {
    name: 'beats',
    what: '10,000 slaves sending every 5 s, of one core',
    unit: 'share',
    mostRounds: 1,
    comparisons: [
      { ours: 'core', goal: { atMost: 0.05 } },
      { ours: 'core', theirs: 'bare sockets' },
    ],
    async measure() {
      progress('10,000 slaves that send every 5 s')
      return { core: await beats('core'), 'bare sockets': await beats('bare') }
    },
  }
}

function aThousand({ contestants, progress }: Setting): Measurement {
  const figures = (found: Thousand, who: string): Sample => ({
    [`${who} memory`]: found.memory / MIB,
    [`${who} idle`]: found.idle,
    [`${who} talking`]: found.talking,
  })
  const against = (of: string, figure: string, unit: Unit): Comparison => ({
    of,
    unit,
    ours: `core ${figure}`,
    theirs: `threads ${figure}`,
  })
  return {
    name: 'thousand',
    what: '1,000 slaves',
    unit: 'MiB',
    mostRounds: 3,
    comparisons: [
      against('memory that they take', 'memory', 'MiB'),
      against('of one core, when idle', 'idle', 'share'),
      against('of one core, when each talks once a second', 'talking', 'share'),
    ],
    async measure() {
      const sample: Sample = {}
      for (const who of ['core', ...(contestants.includes('python') ? ['threads'] : [])] as const) {
        progress(`1,000 slaves: ${who}`)
        Object.assign(sample, figures(await thousand(who as 'core' | 'threads'), who))
      }
      return sample
    },
  }
}

function aHerd({ progress, onHerd }: Setting): Measurement {
  const figures = (way: Way, { listening, comings, refused }: Herd): Sample => ({
    [`${way} listening`]: listening / 1_000,
    [`${way} last`]: max(comings) / 1_000,
    [`${way} half`]: quantileSorted(comings, 0.5) / 1_000,
    [`${way} most`]: quantileSorted(comings, 0.9) / 1_000,
    [`${way} peak`]: peak(comings),
    [`${way} refused`]: refused,
  })
  const against = (of: string, figure: string, unit: Unit): Comparison[] =>
    WAYS.filter((way) => way !== 'windows').map((way) => ({
      of,
      unit,
      ours: `windows ${figure}`,
      theirs: `${way} ${figure}`,
    }))
  return {
    name: 'herd',
    what: '1,000 slaves whose master is away for 3 s',
    unit: 's',
    mostRounds: 1,
    comparisons: [
      { of: 'all are back', ours: 'windows last', goal: { atMost: 30 } },
      ...against('all are back', 'last', 's'),
      ...against('half are back', 'half', 's'),
      ...against('90% are back', 'most', 's'),
      ...against('most that came in a second', 'peak', 'count'),
      ...against('tries that found no master', 'refused', 'count'),
    ],
    async measure() {
      const sample: Sample = {}
      const herds: Partial<Record<Way, Herd>> = {}
      for (const way of WAYS) {
        progress(`a herd of 1,000 slaves: ${way}`)
        const found = await herd(way)
        herds[way] = found
        Object.assign(sample, figures(way, found))
      }
      onHerd?.(herds as Record<Way, Herd>)
      return sample
    },
  }
}

function aCrowd({ progress }: Setting): Measurement {
  return {
    name: 'crowd',
    what: 'answers to 100 slaves, beside 1,000 hostile browsers',
    unit: 'microseconds',
    mostRounds: 3,
    comparisons: [
      { of: 'p50', ours: 'crowded p50', theirs: 'alone p50', goal: { atMost: 1.5 } },
      { of: 'p99', ours: 'crowded p99', theirs: 'alone p99' },
      { of: 'slaves lost', unit: 'count', ours: 'lost', goal: { atMost: 0 } },
      { of: 'the webserver takes of one core', unit: 'share', ours: 'share' },
    ],
    async measure() {
      progress('100 slaves beside 1,000 hostile browsers')
      const { alone, crowded, share } = await crowd()
      return {
        'alone p50': alone.p50,
        'alone p99': alone.p99,
        'crowded p50': crowded.p50,
        'crowded p99': crowded.p99,
        lost: crowded.lost,
        share,
      }
    },
  }
}

function aPage({ progress }: Setting): Measurement {
  const manyToOne = (of: string, figure: string, unit: Unit, goal?: Goal): Comparison => ({
    of,
    unit,
    ours: `many ${figure}`,
    theirs: `one ${figure}`,
    ...(goal && { goal }),
  })
  return {
    name: 'page',
    what: '1,000 slaves on the page, 100 pages',
    unit: 'share',
    mostRounds: 1,
    comparisons: [
      manyToOne('the webserver, of one core', 'webserver steady', 'share'),
      { of: 'the webserver, of one core', ours: 'many webserver steady', goal: { atMost: 0.1 } },
      manyToOne('... while 100 a second come', 'webserver joining', 'share'),
      manyToOne('the master, of one core', 'master steady', 'share', { atMost: 1.1 }),
      manyToOne('... while 100 a second come', 'master joining', 'share', { atMost: 1.1 }),
      manyToOne('memory of the webserver', 'webserver memory', 'MiB'),
      manyToOne('memory of the master', 'master memory', 'MiB'),
      {
        of: 'memory of the webserver, none of them reads',
        unit: 'MiB',
        ours: 'stopped news',
        theirs: 'one news',
        goal: { atMost: 1.5 },
      },
      {
        of: 'longest time without a frame, while 100 a second come',
        unit: 'ms',
        ours: 'stall joining',
        theirs: 'stall steady',
      },
    ],
    async measure() {
      const { joining, steady, memory, news, masterMemory, stall } = await pageCosts(progress)
      const sample: Sample = { 'stopped news': news.stopped, 'one news': news.one }
      for (const pages of ['one', 'many'] as const) {
        for (const who of ['master', 'webserver'] as const) {
          sample[`${pages} ${who} joining`] = joining[pages][who]
          sample[`${pages} ${who} steady`] = steady[pages][who]
        }
        sample[`${pages} webserver memory`] = memory[pages]
        sample[`${pages} master memory`] = masterMemory[pages]
      }
      if (stall) Object.assign(sample, { 'stall joining': stall.joining, 'stall steady': stall.steady })
      return sample
    },
  }
}

function aStore({ progress }: Setting): Measurement {
  return {
    name: 'store',
    what: 'a store',
    unit: 'ms',
    mostRounds: 3,
    comparisons: [
      {
        of: 'values written, a commit for 1,000',
        unit: 'values a second',
        ours: 'committed',
        theirs: 'appended',
        goal: { atLeast: 0.1 },
      },
      {
        of: 'event loop, p99, while it writes all it can',
        ours: 'busyDelay',
        theirs: 'idleDelay',
        goal: { atMost: 5 },
      },
      { of: 'a commit beside a question of 100 nodes', ours: 'commitBeside', theirs: 'commit' },
      { of: 'a year of 1 node', ours: 'oneYear', goal: { atMost: 200 } },
      { of: 'a year of 100 nodes', ours: 'allYear', goal: { atMost: 500 } },
      { of: 'a month of 1 node', ours: 'oneMonth', goal: { atMost: 200 } },
      { of: 'an hour of 100 nodes', ours: 'allHour', goal: { atMost: 500 } },
      { of: 'memory that it takes', unit: 'MiB', ours: 'memory' },
      { of: 'two years of 100 nodes on the disk', unit: 'MB', ours: 'size' },
    ],
    async measure() {
      return { ...(await storeCosts(progress)) }
    },
  }
}

function aBroadcast({ contestants, natsPort, progress }: Setting): Measurement {
  const hasNats = contestants.includes('nats')
  return {
    name: 'broadcast',
    what: '1 KiB to 1,000 subscribers',
    unit: 'messages a second',
    mostRounds: 3,
    comparisons: [
      { of: 'read by each', ours: 'ours', theirs: 'nats', goal: { atLeast: 2 } },
      { of: 'read by each, 16 at once', ours: 'ours 16', theirs: 'nats 16', goal: { atLeast: 2 } },
      { of: 'bytes alone', ours: 'bytes', theirs: 'loop', goal: { atLeast: 1.5 } },
      { of: 'bytes alone, 16 at once', ours: 'bytes 16', theirs: 'loop 16', goal: { atLeast: 2.5 } },
      {
        of: 'p99 beside a frozen one',
        unit: 'ms',
        ours: 'beside',
        theirs: 'withoutIt',
        goal: { atMost: 1.2 },
      },
      { of: 'what a frozen one takes of memory', unit: 'MiB', ours: 'memory', goal: { atMost: 1 } },
    ],
    async measure() {
      const sample: Sample = {}
      const measureOne = async (name: string, ...what: Parameters<typeof delivered>) => {
        progress(`a broadcast: ${name}`)
        sample[name] = await delivered(...what)
      }
      for (const burst of [1, 16]) {
        const named = (name: string) => (burst === 1 ? name : `${name} ${burst}`)
        await measureOne(named('ours'), 'broadcast', 'core', burst, natsPort)
        if (hasNats) await measureOne(named('nats'), 'nats', 'nats', burst, natsPort)
        await measureOne(named('bytes'), 'broadcast', 'bytes', burst, natsPort)
        await measureOne(named('loop'), 'loop', 'bytes', burst, natsPort)
      }
      progress('a broadcast beside a frozen one')
      const { alone, beside, memory } = await frozenCost()
      return { ...sample, withoutIt: alone, beside, memory }
    },
  }
}

function helloes({ progress }: Setting): Measurement {
  return {
    name: 'hellos',
    what: '10,000 hellos at once',
    unit: 'count',
    mostRounds: 3,
    comparisons: [
      { of: 'refused', ours: 'failed', goal: { atMost: 0 } },
      { of: 'first messages lost', ours: 'lost', goal: { atMost: 0 } },
      { of: 'until all were heard, in ms', ours: 'tookMs' },
    ],
    async measure() {
      progress('10,000 hellos at once')
      const { failed, lost, tookMs } = await hellos()
      return { failed, lost, tookMs: Math.round(tookMs) }
    },
  }
}

function secured({ contestants, progress }: Setting): Measurement {
  const against = (of: string, figure: string, unit: Unit, goal?: Goal): Comparison[] =>
    ['core', 'signed', 'natsOverTls'].map((theirs) => ({
      of,
      unit,
      ours: `encrypted ${figure}`,
      theirs: `${theirs} ${figure}`,
      ...(theirs === 'natsOverTls' && goal && { goal }),
    }))
  return {
    name: 'tls',
    what: 'encrypted by a key',
    unit: 'messages a second',
    mostRounds: 3,
    comparisons: [
      ...against('handshakes', 'handshakes', 'values a second').slice(0, 2),
      ...against('62-byte messages', '62 bytes', 'messages a second', { atLeast: 2 }),
      ...against('1 KiB messages', '1 KiB', 'messages a second', { atLeast: 1.5 }),
      ...against('request and answer, p50', 'p50', 'microseconds', { atMost: 1 }),
      ...against('request and answer, p99', 'p99', 'microseconds'),
    ],
    measure: () => secureCosts(contestants.includes('nats'), WINDOW, progress),
  }
}

function tasks({ hasRedis, progress, leaveOut }: Setting): Measurement {
  return {
    name: 'tasks',
    what: 'tasks on four nodes',
    unit: 'tasks a second',
    mostRounds: 3,
    comparisons: [
      { of: 'empty ones', ours: 'ours', theirs: 'bullmq', goal: { atLeast: 3 } },
      { of: 'empty ones', ours: 'ours', theirs: 'pool', goal: { atLeast: 0.7 } },
      {
        of: 'one at a time, p50',
        unit: 'microseconds',
        ours: 'oneByOne',
        theirs: 'parts',
        goal: { atMost: 1.25 },
      },
      { of: '... a round trip to the primary', unit: 'microseconds', ours: 'toPrimary' },
      { of: '... a round trip from there to a node', unit: 'microseconds', ours: 'toNode' },
      { of: '... a call of the pool', unit: 'microseconds', ours: 'call' },
      { of: 'memory of one of 100,000 that wait', unit: 'bytes', ours: 'queued', goal: { atMost: 500 } },
      {
        of: 'a picture on one slow node, and on four',
        unit: 's',
        ours: 'picture on one',
        theirs: 'picture on four',
        goal: { atLeast: 3.6 },
      },
    ],
    measure: () => taskCosts(hasRedis, progress, leaveOut),
  }
}

function aTaskStore({ hasRedis, progress }: Setting): Measurement {
  return {
    name: 'task-store',
    what: 'tasks that survive the power',
    unit: 'tasks a second',
    mostRounds: 3,
    comparisons: [
      { of: 'taken, 64 at once', ours: 'many', theirs: 'bullmq', goal: { atLeast: 3 } },
      { of: 'taken, 64 at once', ours: 'many', theirs: 'oneAtOnce', goal: { atLeast: 20 } },
      { of: '... each over a connection of its own', ours: 'manyOver', theirs: 'bullmq' },
      { of: '... each over a connection of its own', ours: 'manyOver', theirs: 'oneAtOnce' },
      {
        of: 'one at a time, p50',
        unit: 'microseconds',
        ours: 'lone',
        theirs: 'syncAndTrip',
        goal: { atMost: 2 },
      },
      { of: '... a synchronisation of its disk', unit: 'microseconds', ours: 'sync' },
      { of: '... a round trip to the primary', unit: 'microseconds', ours: 'roundTrip' },
      { of: 'a start with 100,000 that are open', unit: 's', ours: 'start', goal: { atMost: 1 } },
      { of: '... and with none', unit: 's', ours: 'startEmpty' },
    ],
    measure: () => taskStoreCosts(hasRedis, progress),
  }
}

function aMonthOfTasks({ progress }: Setting): Measurement {
  return {
    name: 'task-store',
    what: 'a million tasks that have ended',
    unit: 'ms',
    mostRounds: 1, // which takes a minute or two
    comparisons: [
      { of: 'on the disk', unit: 'MB', ours: 'size', goal: { atMost: 300 } },
      {
        of: 'longest pause of the event loop while they are pruned',
        ours: 'pause',
        goal: { atMost: 50 },
      },
      { of: '... longest that a task waited to be taken meanwhile', ours: 'commitBeside' },
      { of: '... and of the event loop while they were written', ours: 'pauseWriting' },
    ],
    measure: () => monthCosts(progress),
  }
}

function anElection({ hasEtcd, progress }: Setting): Measurement {
  const against = (of: string, figure: string, goal?: Goal): Comparison => ({
    of,
    ours: `ours${figure}`,
    theirs: `etcd${figure}`,
    ...(goal && { goal }),
  })
  return {
    name: 'election',
    what: 'another leader, at time-outs of 1 to 2 s',
    unit: 's',
    mostRounds: 3,
    comparisons: [
      against('median', '', { atMost: 1 }),
      against('... where the leader was killed', ' killed'),
      against('... where it was frozen', ' frozen'),
      against('worst of twenty', ' worst'),
    ],
    measure: () => failovers(hasEtcd, progress),
  }
}

function aReplication({ hasEtcd, progress }: Setting): Measurement {
  const atOnce = (of: string, clients: number, who = 'ours', goal?: Goal): Comparison => ({
    ...{ of, ours: `${who} ${clients}`, theirs: `etcd ${clients}` },
    ...(goal && { goal }),
  })
  return {
    name: 'replication',
    what: 'tasks that no node can lose',
    unit: 'tasks a second',
    mostRounds: 3,
    comparisons: [
      atOnce('taken, 64 at once', 64, 'ours', { atLeast: 2 }),
      atOnce('taken, 16 at once', 16, 'ours', { atLeast: 2 }),
      atOnce('taken, one at a time', 1),
      atOnce('entries of the log alone, 64 at once', 64, 'log'),
      atOnce('entries of the log alone, 16 at once', 16, 'log'),
      atOnce('entries of the log alone, one at a time', 1, 'log'),
      {
        of: 'one at a time, p50',
        unit: 'microseconds',
        ours: 'lone',
        theirs: 'syncAndTrip',
        goal: { atMost: 1.5 },
      },
      { of: 'one at a time, p50', unit: 'microseconds', ours: 'lone', theirs: 'put' },
      { of: '... a synchronisation of its disk', unit: 'microseconds', ours: 'sync' },
      { of: '... a round trip to the primary', unit: 'microseconds', ours: 'roundTrip' },
    ],
    measure: () => replicationCosts(hasEtcd, progress),
  }
}

function aReturn({ progress }: Setting): Measurement {
  return {
    name: 'replication',
    what: 'a node that was away for 100,000 entries is back',
    unit: 's',
    mostRounds: 3,
    comparisons: [
      { of: 'by entries', ours: 'entries', goal: { atMost: 5 } },
      { of: 'by a snapshot, of as many tasks', ours: 'tasks', goal: { atMost: 5 } },
    ],
    measure: () => returns(progress),
  }
}
