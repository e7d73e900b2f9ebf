// Loaded into a program before its own code, by RunOptions.preload: what nothing holds is gone soon, as in a program that
// has run for long.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
setInterval(runInNewContext('gc'), 500).unref() // of the fast clock
