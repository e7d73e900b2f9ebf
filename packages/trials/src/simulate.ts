/**
 * `simulate [--log] [--seeds N | --minutes M] [--seed S] [--mutation NAME]`: elections in one process, or with `--log` members that
 * keep a log, each of one seed, with whatever may go wrong. It ends at the first seed in which a rule is broken, and says how to
 * see that one again: with `--seed` alone it is told step by step. `--mutation` breaks a rule of the core on purpose, and
 * `--mutation all` each of them in turn.
 */
import { parseArgs } from 'node:util'
import * as raft from '@rpi-cluster/core/raft'
import * as replica from '@rpi-cluster/core/replica'
import { LogFigures } from './log/log-figures.ts'
import { LOG_MUTATIONS, mutatedReplica } from './log/log-mutations.ts'
import { type LogOutcome, simulateLog } from './log/log-simulation.ts'
import type { Replica } from './log/log-world.ts'
import { Figures } from './raft/figures.ts'
import { MUTATIONS, mutatedRaft } from './raft/mutations.ts'
import { type Outcome, simulate } from './raft/simulation.ts'
import type { Raft } from './raft/world.ts'
import type { Mutation } from './simulated/mutated.ts'
import { wholeNumber } from './trial.ts'

/** In how many seeds a broken rule must be found. */
const MOST_FOR_A_MUTATION = 10_000

/** What is simulated: what is tried, how a seed is, how a rule is broken, and what is told of many. */
interface Simulated<Core, Result> {
  readonly command: string
  readonly core: Core
  readonly mutations: Readonly<Record<string, Mutation>>
  readonly figures: { add(outcome: Result): void; lines(first: number): string[] }
  mutated(mutation: Mutation): Promise<Core>
  simulate(core: Core, seed: number, tell?: (line: string) => void): Result
}

const COMMAND = 'pnpm --filter @rpi-cluster/trials simulate'

// Who takes the first lines alone, as `head` does, has read enough.
process.stdout.on('error', () => process.exit())

const { values } = parseArgs({
  options: {
    log: { type: 'boolean' },
    seed: { type: 'string' },
    seeds: { type: 'string' },
    minutes: { type: 'string' },
    mutation: { type: 'string' },
  },
})
const first = Number(wholeNumber(values.seed ?? '1'))
const { mutation } = values

if (values.log)
  await run<Replica, LogOutcome>({
    command: `${COMMAND} --log`,
    core: replica,
    mutations: LOG_MUTATIONS,
    figures: new LogFigures(),
    mutated: mutatedReplica,
    simulate: simulateLog,
  })
else
  await run<Raft, Outcome>({
    command: COMMAND,
    core: raft,
    mutations: MUTATIONS,
    figures: new Figures(),
    mutated: mutatedRaft,
    simulate,
  })

async function run<Core, Result extends { readonly broken?: string }>(
  simulated: Simulated<Core, Result>,
): Promise<void> {
  if (mutation === 'all') {
    await tryAllMutations(simulated)
    return
  }
  const tried =
    mutation === undefined
      ? simulated.core
      : await simulated.mutated(mutationOf(mutation, simulated.mutations))
  const isOne = values.seed !== undefined && values.seeds === undefined && values.minutes === undefined
  const isFine = isOne ? tellSeed(simulated, tried) : trySeeds(simulated, tried)
  if (!isFine) process.exitCode = 1
}

function mutationOf(name: string, mutations: Readonly<Record<string, Mutation>>): Mutation {
  const found = mutations[name]
  if (found) return found
  throw new TypeError(
    `There is no mutation ${name}. There are ${Object.keys(mutations).join(', ')}, and all.`,
  )
}

/** One seed, step by step. */
function tellSeed<Core, Result extends { readonly broken?: string }>(
  simulated: Simulated<Core, Result>,
  tried: Core,
): boolean {
  const { broken } = simulated.simulate(tried, first, (line) => console.log(line))
  if (broken === undefined) console.log(`Seed ${first}: no rule is broken.`)
  return broken === undefined
}

/** Many seeds, and what is known of them when all are through. */
function trySeeds<Core, Result extends { readonly broken?: string }>(
  { simulate, figures, command }: Simulated<Core, Result>,
  tried: Core,
): boolean {
  const minutes = values.minutes && Number(wholeNumber(values.minutes))
  const seeds = Number(wholeNumber(values.seeds ?? (minutes ? '999999999' : '1000')))
  const until = minutes ? performance.now() + 60_000 * minutes : Number.POSITIVE_INFINITY
  for (let seed = first; seed < first + seeds && performance.now() < until; seed += 1) {
    const outcome = simulate(tried, seed)
    if (outcome.broken !== undefined) {
      console.log(`Seed ${seed}: ${outcome.broken}`)
      const broken = mutation === undefined ? '' : ` --mutation ${mutation}`
      console.log(`${command} --seed ${seed}${broken} tells it step by step.`)
      return false
    }
    figures.add(outcome)
  }
  for (const line of figures.lines(first)) console.log(line)
  return true
}

async function tryAllMutations<Core, Result extends { readonly broken?: string }>({
  mutations,
  mutated,
  simulate,
}: Simulated<Core, Result>): Promise<void> {
  console.log('| Mutation | The rule that it breaks | Found by seed | Because |')
  console.log('| --- | --- | ---: | --- |')
  for (const [name, broken] of Object.entries(mutations)) {
    const tried = await mutated(broken)
    let seed = first
    let outcome = simulate(tried, seed)
    while (outcome.broken === undefined && seed < first + MOST_FOR_A_MUTATION - 1) {
      seed += 1
      outcome = simulate(tried, seed)
    }
    if (outcome.broken === undefined) process.exitCode = 1
    const found = outcome.broken === undefined ? 'not found' : `${seed}`
    console.log(`| \`${name}\` | ${broken.rule} | ${found} | ${outcome.broken?.replace(/:.*/, '') ?? ''} |`)
  }
}
