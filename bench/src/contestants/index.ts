import type { Contestant } from './contestant.ts'

/** Each contestant is loaded by the processes that need it only. */
export const contestants: Record<string, () => Promise<Contestant>> = {
  core: async () => (await import('./core.ts')).core,
  split2: async () => (await import('./split2.ts')).split2Lines,
  ws: async () => (await import('./ws.ts')).webSocket,
  zeromq: async () => (await import('./zeromq.ts')).zeromq,
  nats: async () => (await import('./nats.ts')).nats,
}
