/** The members on the page: who leads in which term, who has voted for whom, and who is reached. */
import type { ElectionWatch, MemberView } from '@rpi-cluster/core/election'
import type { LogDetails } from '@rpi-cluster/core/replicated-log'
import { type Html, html } from '@rpi-cluster/core/web'
import { action, inOrder, type Parts, partId, swatch, timeText } from './parts.ts'

/** What a member is, in words. */
const ROLES = {
  leader: 'leads',
  follower: 'follows',
  'pre-candidate': 'asks who would vote for it',
  candidate: 'stands for election',
}

/** Shows how the members are now. */
export function showMembers(parts: Parts, { views, leader }: ElectionWatch) {
  parts.set('leader', leaderPart(leader?.name, leader?.term))
  for (const [name, view] of views)
    if (view.view || view.isReachable) parts.set(partId('member', name), memberPart(name, view))
}

/** The members as they are now, for a page that begins. */
export function membersHtml(rows: Readonly<Record<string, Html>>): Html {
  const members = Object.entries(rows).filter(([id]) => id.startsWith('member-'))
  members.sort(([one], [other]) => inOrder.compare(one, other))
  return html`<h2>The members</h2>
    <div class="wide" role="region" aria-label="The members" tabindex="0">
      <table>
        <thead>
          <tr>${['Name', 'Term', 'What it does', 'Has voted for', 'Reaches', 'Log', 'Heard from'].map((name) => html`<th scope="col">${name}</th>`)}<td></td></tr>
        </thead>
        <tbody id="members">${members.map(([, part]) => part)}</tbody>
      </table>
    </div>`
}

function leaderPart(name: string | undefined, term: number | undefined): Html {
  return html`<div id="leader" data-part>
    <p class="state ${name === undefined ? 'bad' : 'good'}">${name === undefined ? 'Nobody leads.' : `${name} leads, in term ${term}.`}</p>
  </div>`
}

function memberPart(name: string, { view, isReachable, since }: MemberView): Html {
  const follows = view?.role === 'follower' && view.leader !== null ? ` ${view.leader}` : ''
  const { isVoter, applied, last } = (view?.details ?? {}) as Partial<LogDetails>
  const role = isVoter === false ? 'learns' : ROLES[view?.role ?? 'follower']
  const doing = !isReachable ? 'not reached' : view ? `${role}${follows}` : 'has said nothing yet'
  const leads = isReachable && view?.role === 'leader'
  return html`<tr id="${partId('member', name)}" data-part data-into="members" data-sorted>
    <th scope="row">${swatch(name)} ${name}</th>
    <td>${view?.term}</td>
    <td><span class="state ${isReachable ? 'good' : 'bad'}">${doing}</span></td>
    <td>${view?.votedFor ?? 'nobody'}</td>
    <td>${view?.reachable.join(', ')}</td>
    <td>${applied !== undefined && last !== undefined && `${applied} of ${last} entries applied`}</td>
    <td>${isReachable ? 'now' : `not since ${timeText(since.getTime())}`}</td>
    <td>${isReachable && !leads && action(`/api/leader/${encodeURIComponent(name)}`, 'Let it lead', name)}</td>
  </tr>`
}
