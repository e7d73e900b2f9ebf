/** What the suite has found, as the README shows it: a line a behaviour. */
import { type Behaviour, faults, fullDisk, quick } from './behaviours.ts'
import { faultsOfLeading, quickLeading } from './leading.ts'

const PARTS: readonly [name: string, behaviours: readonly Behaviour[]][] = [
  ['the queue', [...quick, ...faults, fullDisk]],
  ['the lead', [...quickLeading, ...faultsOfLeading]],
]

/** A table for the queue, and one for the lead. */
export function tableOfBehaviours(): string {
  return PARTS.map(([name, behaviours]) => {
    const rows = behaviours.map(({ what, is }) =>
      typeof is === 'string' ? `| ${what} | ${is} | the same |` : `| ${what} | ${is.own} | ${is.engine} |`,
    )
    const engine = name === 'the lead' ? 'etcd' : 'NATS'
    return [`| What is done to ${name} | Own | ${engine} |`, '| --- | --- | --- |', ...rows].join('\n')
  }).join('\n\n')
}
