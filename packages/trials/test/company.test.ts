/** The last chapter of part II among Python nodes of all posts. What all its chapters do there is in company.slow.test.ts. */
import { chapterTest, hasPython } from '@rpi-cluster/tutorial/harness'
import { describe } from 'vitest'
import { KINDS, masterServes, slavesServe } from './support/company.ts'

const test = chapterTest('13-slave-class')

describe.runIf(hasPython())('in company with Python nodes', () => {
  test('a master serves those of all posts from 07 to 18, side by side', ({ chapter }) =>
    masterServes(chapter, KINDS))

  test('a slave serves under the master of 07', ({ chapter }) => slavesServe(chapter, '07'))

  test('slaves serve under the master of 13', ({ chapter }) => slavesServe(chapter, '09', 2))
})
