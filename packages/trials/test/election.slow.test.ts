/**
 * Three members of an election, real processes: whoever leads is killed or frozen, again and again, and they must have another
 * leader soon; then nothing happens to anybody but that the machine is busy, or the links stand still for moments, and they
 * must keep theirs. `pnpm --filter @rpi-cluster/trials failover` does more of it, and says how long it took.
 */
import { spawn, spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFailed, onTestFinished, test } from 'vitest'
import { Electing, type ElectingOptions } from './support/electing.ts'

const TIMES = Number(process.env['FAILOVER_TIMES'] ?? 6)
const ELECTION_MS = Number(process.env['FAILOVER_ELECTION_MS'] ?? 150)
const MINUTES = Number(process.env['FAILOVER_MINUTES'] ?? 0.2)

/** The times of whoever is to lose the lead. */
const times = { electionMs: ELECTION_MS, heartbeatMs: Math.round(Math.min(ELECTION_MS / 5, 100)) }

/** The times of the library, for who is to keep it: where all cores are busy, 150 ms may pass until a process has its turn. */
const DEFAULTS = { electionMs: 1_000, heartbeatMs: 100 }

const hasStress = spawnSync('stress-ng', ['--version']).status === 0

async function elect(options: ElectingOptions): Promise<Electing> {
  const electing = await Electing.start(options)
  onTestFailed(() => console.log(electing.logs))
  onTestFinished(() => electing.end())
  return electing
}

test(`another one leads soon after the leader was killed or frozen, ${TIMES} times`, {
  timeout: 60_000 + 30_000 * TIMES,
}, async () => {
  const electing = await elect(times)
  const took: number[] = []
  for (let count = 0; count < TIMES; count += 1) {
    const { name, term } = await electing.settled()
    await sleep(Math.random() * times.heartbeatMs)
    const isKilled = count % 2 === 0
    electing.kill(name, isKilled ? 'SIGKILL' : 'SIGSTOP')
    const { afterMs } = await electing.anotherLeads({ term })
    took.push(afterMs)
    if (isKilled) await electing.restart(name)
    else electing.kill(name, 'SIGCONT')
  }
  await electing.settled()
  took.sort((one, other) => one - other)
  const at = (part: number) => Math.round(took[Math.floor(part * (took.length - 1))] ?? 0)
  console.log(
    `Time-outs of ${ELECTION_MS} to ${2 * ELECTION_MS} ms, ${TIMES} times: a new leader after ${at(0.5)} ms (median), ${at(0.9)} ms (9 of 10), ${at(1)} ms (the worst)`,
  )
})

/** How many leaders there were in some time. */
async function leadersIn(electing: Electing, minutes: number): Promise<number> {
  const { term } = await electing.settled()
  await sleep(minutes * 60_000)
  return 1 + (await electing.settled()).term - term
}

test.runIf(hasStress)(
  `nobody else is elected in ${MINUTES} minutes in which all cores are busy`,
  {
    timeout: 120_000 + MINUTES * 60_000,
  },
  async () => {
    const electing = await elect(DEFAULTS)
    const stress = spawn('stress-ng', [
      '--cpu',
      String(availableParallelism()),
      '--timeout',
      `${MINUTES * 60}s`,
    ])
    onTestFinished(() => void stress.kill())
    expect(await leadersIn(electing, MINUTES)).toBe(1)
  },
)

test(`nobody else is elected in ${MINUTES} minutes in which each link stands still for up to half a time-out`, {
  timeout: 120_000 + MINUTES * 60_000,
}, async () => {
  const electing = await elect({ ...DEFAULTS, stallMs: DEFAULTS.electionMs / 2 })
  expect(await leadersIn(electing, MINUTES)).toBe(1)
})
