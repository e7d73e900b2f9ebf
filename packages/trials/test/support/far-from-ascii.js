// Loaded into a program before its own code: this machine has a name that no read of 512 bytes holds, in characters of many bytes.
import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'

os.hostname = () => 'küche-€-\u{1f353}-'.repeat(50)
syncBuiltinESMExports()
