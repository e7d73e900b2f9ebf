import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from '@rpi-cluster/tutorial/harness'
import { expect } from 'vitest'
import { quick } from './behaviours.ts'
import { eachKind } from './kinds.ts'
import { quickLeading } from './leading.ts'
import { tableOfDifferences, tableOfTheSame } from './table.ts'

eachKind('without a fault', [...quick, ...quickLeading], { count: 2 })

test('the README has the tables that the suite has made', async () => {
  const readme = await readFile(join(import.meta.dirname, '..', 'README.md'), 'utf8')
  expect(readme).toContain(tableOfDifferences())
  expect(readme).toContain(tableOfTheSame())
})

test('an engine that is not installed is one line, which says how to install it, and exit code 1', async ({
  chapter,
}) => {
  const env = { PATH: '/nowhere', RPI_CLUSTER_CLUSTER_QUEUE: 'nats', RPI_CLUSTER_CLUSTER_LEADER: 'etcd' }
  const engines = await chapter.run('engines', { env })
  await engines.ends()
  expect([engines.exitCode, engines.messages.at(-1)]).toEqual([
    1,
    'Not installed here: nats-server, etcd. On Debian, say: sudo apt install nats-server etcd-server',
  ])
})
