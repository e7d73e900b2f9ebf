/** What a store costs: to write, beside a file that is only appended to, and to ask, with two years of a hundred nodes in it. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeTwoYears } from '../../../packages/core/test/two-years.ts'
import { ask, end, program } from '../processes.ts'
import type { Found } from './keeper.ts'

export interface StoreCosts extends Found {
  /** Of two years of a hundred nodes, in MB. */
  size: number
}

/** @param progress is told what is being measured */
export async function storeCosts(progress: (what: string) => void): Promise<StoreCosts> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-store-'))
  const path = join(folder, 'vitals.db')
  try {
    progress('making two years of a hundred nodes')
    makeTwoYears(path)
    const size = statSync(path).size / 1e6
    progress('a store of two years')
    const keeper = program('store/keeper.ts', [folder])
    try {
      return { size, ...(await ask<Found>(keeper, {})) }
    } finally {
      end([keeper])
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
