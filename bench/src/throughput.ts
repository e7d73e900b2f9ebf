import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Address } from './contestants/contestant.ts'
import { looksEvery, type Reading, type Window } from './meter.ts'
import { ask, end, lineProgram, program, told } from './processes.ts'

const PYTHON = fileURLToPath(new URL('contestants/original.py', import.meta.url))
const LIMIT = fileURLToPath(new URL('limit.ts', import.meta.url))

/** One run of a sender and a receiver over loopback, each a process of its own. */
export async function throughput(
  name: string,
  size: number,
  window: Window,
  address: Address,
): Promise<Reading> {
  const isPython = name === 'python' || name === 'pythonFed'
  const receiver = isPython
    ? lineProgram('python3', [PYTHON, 'receive', window.warmUpMs, window.measureMs, looksEvery(size)])
    : program('half.ts', ['receive', name, size])
  const children = [receiver]
  try {
    const listening = isPython
      ? await told<Address>(receiver)
      : await ask<Address>(receiver, { address, window })
    children.push(sender(name, size, listening))
    return await told<Reading>(receiver)
  } finally {
    end(children)
  }
}

function sender(name: string, size: number, address: Address): ChildProcess {
  if (name === 'python') return lineProgram('python3', [PYTHON, 'send', address.port, size])
  const half = program('half.ts', ['send', name === 'pythonFed' ? 'core' : name, size])
  half.send({ address })
  return half
}

/** What one process does without any network. */
export async function limit(what: 'parse' | 'stringify', size: number, window: Window): Promise<Reading> {
  const alone = lineProgram(process.execPath, [
    '--import',
    'tsx',
    LIMIT,
    what,
    size,
    window.warmUpMs,
    window.measureMs,
  ])
  try {
    return await told<Reading>(alone)
  } finally {
    end([alone])
  }
}
