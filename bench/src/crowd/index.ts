/** How long a master's answers to a hundred slaves take, while a thousand hostile browsers are at the webserver's page, and without them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { median } from 'simple-statistics'
import { ask, canHoldToCores, end, holdToCore, program } from '../processes.ts'

const BROWSERS = 1_000

/** How often each is measured, in turns, and for how long, in ms. */
const TURNS = 3
const TURN_MS = 3_000

/** How long those who have come or gone may settle, in ms. */
const SETTLE_MS = 1_000

interface Answers {
  /** In microseconds. */
  p50: number
  p99: number
  /** How many slaves have lost their connection so far. */
  lost: number
}

interface Webserver {
  address: string
  cpuMs: number
}

export interface Crowd {
  /** The medians of the turns. */
  alone: Answers
  crowded: Answers
  /** The share of one core that the webserver takes for the crowd. */
  share: number
}

export async function crowd(): Promise<Crowd> {
  const master = program('crowd/master.ts')
  const children = [master]
  try {
    const { port } = await ask<{ port: number }>(master, {})
    const webserver = program('crowd/webserver.ts', [port])
    const slaves = program('crowd/slaves.ts', [port])
    children.push(webserver, slaves)
    const { address } = await ask<Webserver>(webserver, {})
    const browsers = program('crowd/browsers.ts', [new URL(address).port])
    children.push(browsers)
    // As on two machines: what the browsers and their own machine take of a core is not the master's.
    if (canHoldToCores) {
      for (const child of [master, slaves]) holdToCore(child, 0)
      for (const child of [webserver, browsers]) holdToCore(child, 1)
    }
    const measured: Record<'alone' | 'crowded', Answers[]> = { alone: [], crowded: [] }
    const shares: number[] = []
    await ask(slaves, { forMs: TURN_MS }) // to warm up
    for (let turn = 0; turn < TURNS; turn += 1) {
      for (const [kind, count] of [
        ['alone', 0],
        ['crowded', BROWSERS],
      ] as const) {
        await ask(browsers, { browsers: count })
        await sleep(SETTLE_MS)
        const before = await ask<Webserver>(webserver, {})
        const began = performance.now()
        measured[kind].push(await ask<Answers>(slaves, { forMs: TURN_MS }))
        const after = await ask<Webserver>(webserver, {})
        if (count > 0) shares.push((after.cpuMs - before.cpuMs) / (performance.now() - began))
      }
    }
    return { alone: middle(measured.alone), crowded: middle(measured.crowded), share: median(shares) }
  } finally {
    end(children)
  }
}

function middle(answers: readonly Answers[]): Answers {
  return {
    p50: median(answers.map(({ p50 }) => p50)),
    p99: median(answers.map(({ p99 }) => p99)),
    lost: Math.max(...answers.map(({ lost }) => lost)),
  }
}
