import { describe, expect, test } from 'vitest'
import { aCluster } from './election-support.ts'

describe('members of an election', () => {
  test('elect one of them, and all know who', async () => {
    const { elected, all } = await aCluster()
    const leader = await elected()
    expect(all.filter(({ leads }) => leads !== undefined)).toEqual([leader])
    expect(await leader.knows()).toMatchObject({ role: 'leader', leader: leader.name, isHeld: true })
  })
})
