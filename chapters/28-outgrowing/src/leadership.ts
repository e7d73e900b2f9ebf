/** Who leads, as the programs of a node ask for it, whoever decides that: the members themselves, or etcd. */
import type { Answers } from '@rpi-cluster/core/dialogue'
import {
  type ElectionOptions,
  type ElectionView,
  type Leader,
  openElection,
  type Reign,
} from '@rpi-cluster/core/election'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import type { Handlers } from '@rpi-cluster/core/messages'
import { config } from './config.ts'
import { log, settings } from './self.ts'

/** What a node needs. What each of these promises is said where `Election` has it. */
export interface Leadership {
  /** What to do with what other members say, and what to answer to who asks who leads. */
  readonly handlers: Handlers
  readonly answers: Answers
  /** How this node sees it. */
  readonly view: ElectionView
  readonly leader: Leader | undefined
  run(): Promise<void>
  /** Does something while this node leads. The reign says its term, and whether it still holds. */
  whileLeading(use: (reign: Reign, over: AbortSignal) => Promise<void>): Promise<void>
  /** Does something for each leader. */
  follow(use: (leader: Leader, over: AbortSignal) => Promise<void>): Promise<void>
  /** Lets another one lead. */
  handOver(to?: string): Promise<boolean>
  drain(): Promise<void>
}

/** Opens what the configuration chooses. */
export async function openLeadership(options: ElectionOptions): Promise<Leadership> {
  if (settings.leader === 'own') return await openElection(options)
  const { openEtcdElection } = await import('./etcd-election.ts') // who does not choose it does not load it
  log.info('etcd decides who leads')
  return openEtcdElection(options, loadJsonConfig(config, 'engines', log))
}
