/**
 * Who the members of a cluster are, as a configuration has them: by their names, where each of them is.
 *
 * @since 0.26.0
 */
import * as v from 'valibot'
import { host as anyHost, port as anyPort, takenBy } from './config-values.ts'
import type { ElectionMember } from './election-view.ts'

/** How many members there may be. The more there are, the more disks each election waits for: etcd advises 7 at most. */
const MOST_MEMBERS = 25

/** A member, and where it is, also for those who are none. */
export interface ClusterMember extends ElectionMember {
  /** The port at which it is there for all others while it leads. */
  readonly leaderPort: number
}

const memberName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9][\w.-]{0,62}$/),
  v.metadata({
    takes: 'up to 63 letters, digits, "_", "-" and ".", of which the first is a letter or a digit',
  }),
)

const member = v.pipe(
  v.strictObject({ host: anyHost, port: anyPort, leader_port: anyPort }),
  v.metadata({
    takes: `${takenBy(anyHost)}, as "host", and two ports, "port" and "leader_port"`,
  }),
)

/**
 * The members of a cluster, for a configuration: `{"pi-1": {"host": "192.168.1.21", "port": 12351, "leader_port": 12345}}`, and
 * so on. It reads as a list.
 */
export const members = v.pipe(
  v.record(memberName, member),
  v.minEntries(1),
  v.maxEntries(MOST_MEMBERS),
  v.metadata({
    takes: `1 to ${MOST_MEMBERS} members by the names of their keys, each with ${takenBy(member)}`,
  }),
  v.transform((all): ClusterMember[] =>
    Object.entries(all).map(([name, { host, port, leader_port: leaderPort }]) => ({
      name,
      host,
      port,
      leaderPort,
    })),
  ),
)
