import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from '@rpi-cluster/tutorial/harness'
import { expect } from 'vitest'
import { tableOfDifferences, tableOfTheSame } from './table.ts'

test('the README has the tables that the suite has made', async () => {
  const readme = await readFile(join(import.meta.dirname, '..', 'README.md'), 'utf8')
  expect(readme).toContain(tableOfDifferences())
  expect(readme).toContain(tableOfTheSame())
})
