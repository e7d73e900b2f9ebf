/** That each rule which is to be broken stands where it is looked for: else a simulation would end before it tries anything. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LOG_MUTATIONS } from '../src/log/log-mutations.ts'
import { MUTATIONS } from '../src/raft/mutations.ts'

const CORE = join(import.meta.dirname, '../../core/src')

test.for([...Object.entries(MUTATIONS), ...Object.entries(LOG_MUTATIONS)])(
  '%s has its place in the core, and once',
  ([, { file, from }]) => {
    expect(readFileSync(join(CORE, file), 'utf8').split(from)).toHaveLength(2)
  },
)
