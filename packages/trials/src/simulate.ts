/**
 * `simulate [--seeds N | --minutes M] [--seed S] [--mutation NAME]`: elections in one process, each of one seed, with whatever
 * may go wrong. It ends at the first seed in which a rule is broken, and says how to see that one again: with `--seed` alone it
 * is told step by step. `--mutation` breaks a rule of the core on purpose, and `--mutation all` each of them in turn.
 */
import { parseArgs } from 'node:util'
import * as raft from '@rpi-cluster/core/raft'
import { Figures } from './raft/figures.ts'
import { MUTATIONS, mutatedRaft } from './raft/mutations.ts'
import { type Outcome, simulate } from './raft/simulation.ts'
import type { Raft } from './raft/world.ts'
import { wholeNumber } from './trial.ts'

const COMMAND = 'pnpm --filter @rpi-cluster/trials simulate'

/** In how many seeds a broken rule must be found. */
const MOST_FOR_A_MUTATION = 10_000

// Who takes the first lines alone, as `head` does, has read enough.
process.stdout.on('error', () => process.exit())

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    minutes: { type: 'string' },
    mutation: { type: 'string' },
  },
})
const first = Number(wholeNumber(values.seed ?? '1'))
const { mutation } = values

if (mutation === 'all') await tryAllMutations()
else {
  const tried = mutation === undefined ? raft : await mutatedRaft(mutationOf(mutation))
  const isFine =
    values.seed !== undefined && values.seeds === undefined && values.minutes === undefined
      ? tellSeed(tried)
      : trySeeds(tried)
  if (!isFine) process.exitCode = 1
}

function mutationOf(name: string) {
  const found = MUTATIONS[name]
  if (found) return found
  throw new TypeError(
    `There is no mutation ${name}. There are ${Object.keys(MUTATIONS).join(', ')}, and all.`,
  )
}

/** One seed, step by step. */
function tellSeed(tried: Raft): boolean {
  const { broken } = simulate(tried, first, (line) => console.log(line))
  if (broken === undefined) console.log(`Seed ${first}: no rule is broken.`)
  return broken === undefined
}

/** Many seeds, and what is known of them when all are through. */
function trySeeds(tried: Raft): boolean {
  const minutes = values.minutes && Number(wholeNumber(values.minutes))
  const seeds = Number(wholeNumber(values.seeds ?? (minutes ? '999999999' : '1000')))
  const until = minutes ? performance.now() + 60_000 * minutes : Number.POSITIVE_INFINITY
  const figures = new Figures()
  for (let seed = first; seed < first + seeds && performance.now() < until; seed += 1) {
    const outcome = simulate(tried, seed)
    if (outcome.broken !== undefined) {
      console.log(`Seed ${seed}: ${outcome.broken}`)
      const broken = mutation === undefined ? '' : ` --mutation ${mutation}`
      console.log(`${COMMAND} --seed ${seed}${broken} tells it step by step.`)
      return false
    }
    figures.add(outcome)
  }
  for (const line of figures.lines(first)) console.log(line)
  return true
}

async function tryAllMutations(): Promise<void> {
  console.log('| Mutation | The rule that it breaks | Found by seed | Because |')
  console.log('| --- | --- | ---: | --- |')
  for (const [name, broken] of Object.entries(MUTATIONS)) {
    const tried = await mutatedRaft(broken)
    let seed = first
    let outcome: Outcome
    do {
      outcome = simulate(tried, seed)
      seed += 1
    } while (outcome.broken === undefined && seed < first + MOST_FOR_A_MUTATION)
    if (outcome.broken === undefined) process.exitCode = 1
    const found = outcome.broken === undefined ? 'not found' : `${outcome.seed}`
    console.log(`| \`${name}\` | ${broken.rule} | ${found} | ${outcome.broken?.replace(/:.*/, '') ?? ''} |`)
  }
}
