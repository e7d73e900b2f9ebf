import { askForReload, askHealth } from '@rpi-cluster/core/daemon'
import { stopSignal } from '@rpi-cluster/core/lifecycle'

stopSignal()
const [program = 'node', option] = process.argv.slice(2)
if (option === '--reload') await askForReload(program)
else {
  const { exitCode, health } = await askHealth(program)
  console.log(JSON.stringify(health))
  process.exitCode = exitCode
}
