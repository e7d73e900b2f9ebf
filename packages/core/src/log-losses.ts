/**
 * Which members of a replicated log have lost theirs, and whether the others are a majority still. A node whose card was lost is
 * reached, and has its name; but it is another member, without a vote, and no election comes about by that.
 *
 * @since 0.27.0
 */
import * as v from 'valibot'
import type { ElectionView } from './election-view.ts'

const logDetails = v.object({ cluster: v.string(), isVoter: v.boolean() })

/**
 * What is to be said when so many members have lost their logs that nobody can be elected.
 *
 * @param cluster the id of this node's cluster
 * @param views how this node sees the cluster, and all who are reached
 * @returns that in words; undefined while those who are there with their logs, and those who are away, can be a majority
 * @internal
 */
export function lossIn(cluster: string, views: readonly ElectionView[]): string | undefined {
  const known = views.flatMap(({ name, term, members, details }) => {
    const { success, output } = v.safeParse(logDetails, details)
    return success && output.cluster === cluster ? [{ name, term, members, isVoter: output.isVoter }] : []
  })
  // Who is new knows nothing of the members: whoever has a log does.
  const [voter] = known.filter(({ isVoter }) => isVoter).sort((one, other) => other.term - one.term)
  if (!voter) return undefined
  const all = voter.members
  const lost = all.filter((member) => known.some(({ name, isVoter }) => name === member && !isVoter))
  const lacking = Math.floor(all.length / 2) + 1 - (all.length - lost.length)
  if (lacking <= 0) return undefined
  return `${lost.join(', ')} have not the logs that they had. Without these no majority of ${all.join(', ')} is there, so nobody can be elected, and nothing is decided. Bring ${lacking === 1 ? 'one' : lacking} of the old cards back (no copies); if they are lost for good, begin anew, as docs/core/replicated-log.md says`
}
