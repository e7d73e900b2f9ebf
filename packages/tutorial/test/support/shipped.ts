/** `pnpm ship` in a test: what it says is kept. */
import { vi } from 'vitest'
import { ship } from '../../src/ship/ship.ts'

/** Ships, and returns the exit code and what was said, a line each. */
export async function shipAndKeep(...args: Parameters<typeof ship>) {
  const lines: string[] = []
  const take = (text: string) => void lines.push(...text.split('\n'))
  const spies = [
    vi.spyOn(console, 'log').mockImplementation(take),
    vi.spyOn(console, 'error').mockImplementation(take),
  ]
  try {
    const code = await ship(...args)
    return { code, lines, text: lines.join('\n') }
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
}
