import { expect, test } from 'vitest'
import { mutantsOf } from '../src/mutate/mutants.ts'

const PROGRAM = `import { send } from './wire.ts'

const master = await connect()
for await (const _ of every(5)) {
  await send(master, 'message', 'alive')
}
const handlers = {
  message: (text) => log(text),
}
`

test('each statement is left out, and each message is sent twice and altered, one at a time', () => {
  const mutants = mutantsOf(PROGRAM)
  expect(mutants.map(({ line, change, code }) => `${line} ${change}: ${code}`)).toEqual([
    '3 left out: const master = await connect()',
    "4 left out: for await (const _ of every(5)) { await send(master, 'message', 'alive') }",
    "5 left out: await send(master, 'message', 'alive')",
    "5 sent twice: await send(master, 'message', 'alive')",
    "5 sent altered: 'message'",
    "5 sent altered: 'alive'",
    '7 left out: const handlers = { message: (text) => log(text), }',
    '8 left out: message: (text) => log(text)',
  ])
  expect(mutants.find(({ code }) => code === "'message'")?.text).toBe(
    PROGRAM.replace("'message'", "'message altered'"),
  )
  expect(mutants.at(-1)?.text).toBe(PROGRAM.replace('message: (text)', 'nothing: (text)'))
})
