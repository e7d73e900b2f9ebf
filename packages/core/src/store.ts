/**
 * A stand-in until the branch `store` is merged.
 *
 * @since 0.17.0
 */
import type { Logger } from './logging.ts'

export interface HistoryQuery {
  vital: string
  node?: string
  from: number
  to: number
}
export interface History {
  vital: string
  label?: string
  unit?: string
  from: number
  to: number
  step: number
  times: number[]
  lines: {
    node: string
    name: string
    mean: (number | null)[]
    min?: (number | null)[]
    max?: (number | null)[]
  }[]
  more?: number
}
export interface Outbox {
  add(text: string): void
  oldest(count: number): Promise<{ id: number; text: string }[]>
  drop(upToId: number): void
  readonly size: number
}
export interface Store {
  add(sample: { node: string; name: string; at: number; values: Readonly<Record<string, number>> }): void
  history(query: HistoryQuery): Promise<History>
  outbox(name: string): Outbox
  readonly newest: number | undefined
  close(): Promise<void>
}
export async function openStore(_: { name: string; log: Logger; stop?: AbortSignal; [key: string]: unknown }): Promise<Store> {
  const samples: { node: string; name: string; at: number; values: Readonly<Record<string, number>> }[] = []
  let waiting: { id: number; text: string }[] = []
  let last = 0
  return {
    add: (sample) => void samples.push(sample),
    history: async ({ vital, node, from, to }) => {
      const own = samples.filter((one) => (node === undefined || one.node === node) && one.at >= from && one.at < to)
      const nodes = [...new Set(own.map((one) => one.node))]
      const times = [...new Set(own.map(({ at }) => Math.floor(at)))].sort()
      return {
        vital, from, to, step: 1, times,
        lines: nodes.map((id) => ({
          node: id,
          name: own.findLast((one) => one.node === id)?.name ?? id,
          mean: times.map((time) => own.find((one) => one.node === id && Math.floor(one.at) === time)?.values[vital] ?? null),
        })),
      }
    },
    outbox: () => ({
      add(text) { last += 1; waiting.push({ id: last, text }) },
      oldest: async (count) => waiting.slice(0, count),
      drop(id) { waiting = waiting.filter((one) => one.id > id) },
      get size() { return waiting.length },
    }),
    newest: undefined,
    close: async () => {},
  }
}
