// Loaded into a program before its own code: what nothing holds is gone soon, as it is in a program that runs for long.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
setInterval(runInNewContext('gc'), 500).unref() // of the fast clock
