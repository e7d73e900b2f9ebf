/** A message to a thousand: how fast, and what one costs that does not read. */
import { setTimeout as sleep } from 'node:timers/promises'
import { quantileSorted } from 'simple-statistics'
import { ask, end, program, told } from '../processes.ts'
import type { Order, Ports, Published, Way } from './publisher.ts'
import type { Heard, Reads } from './subscribers.ts'

const SUBSCRIBERS = 1_000

/** How long each is measured, in ms. */
const FOR_MS = 2_000

/** One message after the other while somebody is frozen: more than 8 MiB, so that no buffer takes all of them. */
const STEADY: Order = { everyMs: 1, count: 8_000 }

/** How many messages a second reach a thousand, each when the burst before has reached all. */
export async function delivered(way: Way, reads: Reads, burst: number, natsPort: number): Promise<number> {
  const publisher = program('broadcast/publisher.ts', [way, natsPort])
  const children = [publisher]
  try {
    const { port, ackPort } = await told<Ports>(publisher)
    const subscribers = program('broadcast/subscribers.ts', [reads, port, ackPort, SUBSCRIBERS, burst])
    children.push(subscribers)
    await told(subscribers)
    await ask<Published>(publisher, { burst, forMs: FOR_MS / 2 } satisfies Order)
    const { perSecond } = await ask<Published>(publisher, { burst, forMs: FOR_MS } satisfies Order)
    return perSecond * SUBSCRIBERS
  } finally {
    end(children)
  }
}

/** What a subscriber that does not read costs the others, and the publisher. */
export interface FrozenCost {
  /** How long a message takes to the others, p99 in ms: without it, and with it. */
  alone: number
  beside: number
  /** What it takes of the publisher's memory, in MiB. */
  memory: number
}

export async function frozenCost(): Promise<FrozenCost> {
  const publisher = program('broadcast/publisher.ts', ['broadcast'], ['--expose-gc'])
  const children = [publisher]
  const subscribe = async (reads: Reads, count: number) => {
    const child = program('broadcast/subscribers.ts', [reads, port, ackPort, count, Number.MAX_SAFE_INTEGER])
    children.push(child)
    await told(child)
    return child
  }
  const { port, ackPort } = await told<Ports>(publisher)
  const memory = async () => {
    await sleep(1_000)
    return (await ask<Published>(publisher, { collect: true } satisfies Order)).memory
  }
  try {
    const others = await subscribe('core', 100)
    const p99 = async () => {
      await ask<Published>(publisher, STEADY)
      await sleep(500)
      return quantileSorted((await ask<Heard>(others, {})).delays, 0.99)
    }
    await p99() // to warm up
    const alone = await p99()
    const before = await memory()
    await subscribe('frozen', 1)
    await p99() // until it has all that it will ever have
    const beside = await p99()
    return { alone, beside, memory: ((await memory()) - before) / 2 ** 20 }
  } finally {
    end(children)
  }
}
