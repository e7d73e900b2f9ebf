/** How a program does: `status node-1`. Its exit code is 0 when all is well, 1 when not, 3 when it does not run. */
import { askForReload, askHealth } from '@rpi-cluster/core/daemon'
import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'

stopSignal()
const [program, option, ...others] = process.argv.slice(2)

if (!program || program.startsWith('-') || others.length > 0 || (option && option !== '--reload'))
  throw new OperationalError(
    'Name a program: "node-1" says how it does, "node-1 --reload" lets it read its configuration again.',
  )

if (option) {
  await askForReload(program)
} else {
  const { exitCode, health } = await askHealth(program)
  console.log(JSON.stringify(health))
  process.exitCode = exitCode
}
