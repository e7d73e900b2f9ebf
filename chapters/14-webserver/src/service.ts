import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { installUnit, unitOf } from '@rpi-cluster/core/service'

stopSignal()
const log = createLogger('service')
const [program, option = '--print', ...others] = process.argv.slice(2)

if (program === undefined || others.length > 0) {
  throw new OperationalError(
    'Name one program, and what to do with its unit: slave --print, or slave --install.',
  )
}
const unit = unitOf(program)

if (option === '--print') console.log(unit.text)
else if (option === '--install') await installUnit(unit, (line) => log.info(line))
else throw new OperationalError(`There is no option "${option}". A unit takes --print or --install.`)
