// Loaded into a slave before its own code: Node knows no name of the processor, as on a Pi.
import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'

const { cpus } = os
os.cpus = () => cpus().map((core) => ({ ...core, model: 'unknown' }))
syncBuiltinESMExports()
