import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'
import { installUnit, unitOf } from '@rpi-cluster/core/service'

stopSignal()
const [program, option = '--print', ...others] = process.argv.slice(2)

if (!program || program.startsWith('-') || others.length > 0) {
  throw new OperationalError(
    'Name a program, and what to do with its unit: "secondary --print" shows it, "secondary --install" puts it to work.',
  )
}
const unit = unitOf(program, { keepsState: true }) // its keys, or its own

if (option === '--print') process.stdout.write(unit.text)
else if (option === '--install') await installUnit(unit, console.log)
else throw new OperationalError(`There is no option "${option}". A unit takes --print or --install.`)
