import { test } from '@rpi-cluster/tutorial/harness'
import { vi } from 'vitest'

/** Long enough for fifteen seconds of the fast clock, on a busy machine. */
const PATIENCE = { timeout: 30_000, interval: 20 }

test.for(['master', 'slave'])(
  'a frozen %s is noticed by the other, as in chapter 10',
  async (frozen, { chapter, expect }) => {
    const master = await chapter.run('master')
    const slave = await chapter.run('slave')
    await slave.says(/We have information/)
    const [still, other] = frozen === 'master' ? [master, slave] : [slave, master]
    process.kill(still.pid, 'SIGSTOP')
    try {
      await vi.waitFor(
        () =>
          expect(other.messages.join('\n')).toMatch(/^Nothing came from .* its program is stopped or hangs/m),
        PATIENCE,
      )
    } finally {
      process.kill(still.pid, 'SIGCONT')
    }
    await slave.says(/We have information/, 3)
  },
)
