/** A node of the cluster: runs a program of the chapter as Node would, in a worker of the page. */
import './node/early.ts'
import './node/globals.ts'
import { dirname, join } from 'node:path'
import { modules } from 'virtual:live-modules'
import type { FromWorker, Script, StartMessage, ToWorker } from './messages.ts'
import { clock, dates, look } from './node/alive.ts'
import { existsSync, mkdirSync, writeFileSync } from './node/fs.ts'
import { fromNetwork, network } from './node/net.ts'
import { happens, page, process } from './node/process.ts'

const post = self.postMessage.bind(self) as (message: FromWorker) => void
page.said = (text) => post({ what: 'said', text })
page.ended = (code, signal) => post({ what: 'ended', code, ...(signal !== undefined && { signal }) })
network.send = (message) => post(message)

/** What has come while the program stood still, in order. */
const waiting: ToWorker[] = []
const turns = new MessageChannel()
turns.port1.onmessage = () => takeNext()

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  switch (data.what) {
    case 'pace':
      clock.set(data.pace)
      return goOn()
    case 'hold':
      clock.hold(data.isHeld)
      return goOn()
    case 'skew':
      dates.skewMs = data.seconds * 1000
      return
    default:
      waiting.push(data)
      if (waiting.length === 1) takeNext()
  }
}

self.addEventListener('error', (event) => {
  event.preventDefault()
  process.failed(event.error)
})
self.addEventListener('unhandledrejection', (event) => {
  event.preventDefault()
  process.failed(event.reason)
})

function goOn(): void {
  if (waiting.length > 0) turns.port2.postMessage(undefined)
}

/** One in a turn: what it has set going is to come to its end before the next. */
function takeNext(): void {
  const [message] = waiting
  if (!message || (clock.isAtRest && message.what !== 'start')) return
  waiting.shift()
  if (message.what === 'start') start(message)
  else if (message.what === 'signal') happens(() => process.signalled(message.signal))
  else happens(() => fromNetwork(message as Parameters<typeof fromNetwork>[0]))
  goOn()
}

function start({
  main,
  scripts,
  files,
  folder,
  args,
  env,
  pid,
  hostname,
  pace,
  began,
  skew,
}: StartMessage): void {
  dates.skewMs = skew * 1000
  dates.beganAt = began
  clock.set(pace)
  for (const [path, text] of Object.entries(files)) {
    const full = join(folder, path)
    if (!existsSync(dirname(full))) mkdirSync(dirname(full), { recursive: true })
    writeFileSync(full, text)
  }
  process.chdir(folder)
  process.argv.push(join(folder, main), ...args)
  process.pid = pid
  Object.assign(process.env, { HOSTNAME: hostname, ...env })
  run(main, scripts).then(
    () => {
      process.hasRun = true
      look()
    },
    (error) => process.failed(error),
  )
  look()
}

/** Runs a file, and before it what it imports, each once, as modules are run. */
async function run(main: string, scripts: Script[]): Promise<void> {
  const done = new Map<string, Record<string, unknown>>()
  const runOne = async (path: string): Promise<Record<string, unknown>> => {
    const known = done.get(path)
    if (known) return known
    const exports: Record<string, unknown> = {}
    done.set(path, exports)
    const script = scripts.find((one) => one.path === path)
    if (!script) throw new Error(`Cannot find module '${path}'`)
    for (const [, specifier = ''] of script.code.matchAll(/\brequire\('(\.[^']+)'\)/g))
      await runOne(join(dirname(path), specifier))
    const require = (specifier: string) => {
      const found = specifier.startsWith('.') ? done.get(join(dirname(path), specifier)) : modules[specifier]
      if (!found) throw new Error(`Cannot find package '${specifier}': the page has none of this name.`)
      return found
    }
    // Named after the file, so that its errors say where they are.
    const body = new AsyncFunction('require', 'exports', `${script.code}\n//# sourceURL=${path}`)
    await body.call(undefined, require, exports)
    return exports
  }
  await runOne(main)
}

const AsyncFunction = (async () => {}).constructor as new (
  ...parts: string[]
) => (...given: unknown[]) => Promise<void>
