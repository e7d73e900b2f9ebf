/** Who leads, as the programs of a node ask for it, whoever decides that: the members themselves, or etcd. */
import type { Answers } from '@rpi-cluster/core/dialogue'
import type { ElectionView, Leader, Reign } from '@rpi-cluster/core/election'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { OperationalError } from '@rpi-cluster/core/lifecycle'
import type { Handlers } from '@rpi-cluster/core/messages'
import type { LogReign } from '@rpi-cluster/core/replicated-log'
import { config } from './config.ts'
import { key, log, self, settings, stop } from './self.ts'

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
  whileLeading(use: (reign: Reign | LogReign, over: AbortSignal) => Promise<void>): Promise<void>
  /** Does something for each leader. */
  follow(use: (leader: Leader, over: AbortSignal) => Promise<void>): Promise<void>
  /** Lets another one lead. */
  handOver(to?: string): Promise<boolean>
  drain(): Promise<void>
}

/**
 * Opens what the configuration chooses.
 *
 * @throws OperationalError when it chooses etcd for the own queue
 */
export async function openLeadership(): Promise<Leadership> {
  if (settings.leader === 'own') return (await import('./ledger.ts')).tasksLog
  if (settings.queue === 'own')
    throw new OperationalError(
      'The own queue is a log, and who leads in that only its members can say: choose "nats" as cluster.queue for "etcd" as cluster.leader, or "own" for both.',
    )
  const { openEtcdElection } = await import('./etcd-election.ts') // who does not choose it does not load it
  log.info('etcd decides who leads')
  const { members, founders, electionMs, heartbeatMs } = settings
  const mayHandOver = () => settings.submitters
  const options = { name: self.name, members, founders, key, electionMs, heartbeatMs, mayHandOver, log, stop }
  return openEtcdElection(options, loadJsonConfig(config, 'engines', log))
}
