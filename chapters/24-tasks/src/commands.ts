import { readFile, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a command has to know of the node that obeys it: its number, and the folder of its LED. */
interface Here {
  client: number
  led: string
}

/** What everyone may be told to do, and what a node says when it is done. Write yours, and put it here. */
const commands: Record<string, (here: Here) => string | Promise<string>> = {
  name: ({ client }) => `I am ${hostname()} #${client}`,
  blink: ({ led }) => blink(led),
}

/** Does a command, and says what came of it. One that fails must end no node: it would end all at once. */
export async function obey(command: string, here: Here): Promise<string> {
  const run = Object.hasOwn(commands, command) ? commands[command] : undefined
  if (!run) return `I know no "${command}", only: ${Object.keys(commands).join(', ')}`
  try {
    return await run(here)
  } catch (error) {
    return `I cannot ${command}: ${(error as Error).message}`
  }
}

/** Lets an LED of this machine blink three times. What else lit it, does so again afterwards. */
async function blink(led: string): Promise<string> {
  const [brightness, trigger] = [join(led, 'brightness'), join(led, 'trigger')]
  const [, before = 'none'] = /\[(.+)\]/.exec(await readFile(trigger, 'utf8')) ?? []
  for (const value of ['1', '0', '1', '0', '1', '0']) {
    await writeFile(brightness, value)
    await sleep(200)
  }
  await writeFile(trigger, before)
  return 'I have blinked'
}
