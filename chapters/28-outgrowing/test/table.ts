/** What the suite has found, as the README shows it: a line a behaviour. */
import { type Behaviour, faults, fullDisk, quick } from './behaviours.ts'
import { faultsOfLeading, quickLeading } from './leading.ts'

const ALL: readonly Behaviour[] = [...quick, ...faults, fullDisk, ...quickLeading, ...faultsOfLeading]

/** Where own and engine differ. */
export function tableOfDifferences(): string {
  const rows = ALL.flatMap(({ what, is }) =>
    typeof is === 'string' ? [] : `| ${what} | ${is.own} | ${is.engine} |`,
  )
  return ['| What happens | Own | NATS and etcd |', '| --- | --- | --- |', ...rows].join('\n')
}

/** What is the same with both. */
export function tableOfTheSame(): string {
  const rows = ALL.flatMap(({ what, is }) => (typeof is === 'string' ? `| ${what} | ${is} |` : []))
  return ['| What happens | What comes of it |', '| --- | --- |', ...rows].join('\n')
}
