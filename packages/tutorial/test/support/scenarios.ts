/** The scenarios of the lab, each with its control, as tests. */
import { describe, expect, test } from 'vitest'
import { allChapters, type Chapter } from '../../src/chapters/chapters.ts'
import { type Outcome, tryScenario } from '../../src/lab/run-scenario.ts'
import { readScenario, type Scenario, scenariosOf } from '../../src/lab/scenario.ts'

/** How many times as fast as real time a scenario goes at most that is not in a hurry. */
export const UNHURRIED = 2

/**
 * Runs a scenario, and once more unhurriedly when a promise is broken: on a busy machine, seconds that pass ten times as
 * fast leave too little time to start a program in.
 */
async function tried(chapter: Chapter, scenario: Scenario): Promise<Outcome> {
  const outcome = await tryScenario(chapter, scenario, { seed: 1 })
  const hasPassed = outcome.problems.length === 0 && outcome.results.every(({ kept }) => kept)
  if (hasPassed) return outcome
  return tryScenario(chapter, scenario, { seed: 1, speed: Math.min(scenario.speed, UNHURRIED) })
}

/**
 * Runs the control of a scenario, and once more unhurriedly when it keeps its promises: it may do so by chance, when what is done
 * to it comes too late to hurt.
 */
async function triedWithout(chapter: Chapter, scenario: Scenario): Promise<Outcome> {
  const outcome = await tryScenario(chapter, scenario, { seed: 1, control: true })
  if (outcome.results.some(({ kept }) => !kept)) return outcome
  const speed = Math.min(scenario.speed, UNHURRIED)
  return tryScenario(chapter, scenario, { seed: 1, speed, control: true })
}

/** Tries the scenarios that are chosen: each passes, and its control fails by a promise. */
export function tryScenarios(isChosen: (scenario: Scenario) => boolean): void {
  const scenarios = allChapters()
    .flatMap((chapter) =>
      scenariosOf(chapter).map((name) => ({ chapter, scenario: readScenario(chapter, name) })),
    )
    .filter(({ scenario }) => isChosen(scenario))
    .map(({ chapter, scenario }) => ({ chapter, scenario, name: scenario.name }))

  describe.for(scenarios)('$name of $chapter.name', ({ chapter, scenario }) => {
    const timeout = 180_000 + (scenario.ends * 2_000) / Math.min(scenario.speed, UNHURRIED)
    const runsControl = () => triedWithout(chapter, scenario)

    test('passes, and its control fails by a promise', { timeout }, async () => {
      // Who goes as slowly as real time mostly waits, and leaves room for another cluster.
      const [passed, control] = isInRealTime(scenario)
        ? await Promise.all([tried(chapter, scenario), runsControl()])
        : [await tried(chapter, scenario), await runsControl()]
      expect(passed.problems).toEqual([])
      expect(passed.results.filter(({ kept }) => !kept)).toEqual([])
      expect(control.results.filter(({ kept }) => !kept)).not.toEqual([])
    })
  })
}

/** Whether a scenario goes no faster than real time. */
export function isInRealTime({ speed }: Scenario): boolean {
  return speed <= 1
}
