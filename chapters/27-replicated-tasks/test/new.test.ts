import { test } from '@rpi-cluster/tutorial/harness'

test('[write: what is new, as a sentence about the programs]', async ({ chapter, expect }) => {
  const program = await chapter.run('node')
  await program.stop()
  expect(program.messages).toContain('[write: what it says when it has done it]')
})
