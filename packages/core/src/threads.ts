/**
 * Threads for work that takes long, so that nothing else in the program waits for it. Such a thread runs a source of its
 * own, in a chapter, in a bundle and in the published library alike.
 *
 * @since 0.17.0
 */
import { Worker, type WorkerOptions } from 'node:worker_threads'

/**
 * Starts a thread with a source of its own, which is written as a URL relative to `import.meta.url`: so it is found by
 * what makes JavaScript of the sources.
 *
 * @internal
 */
export function startThread(source: URL, options: WorkerOptions = {}): Worker {
  // On Node 20, which reads no TypeScript, tsx does so in a program's first thread alone.
  if (!source.pathname.endsWith('.ts') || 'typescript' in process.features) return new Worker(source, options)
  const reading = `import { register } from ${JSON.stringify(import.meta.resolve('tsx/esm/api'))}\nregister()`
  const execArgv = [...loadedFirst(), '--import', `data:text/javascript,${encodeURIComponent(reading)}`]
  return new Worker(source, { ...options, execArgv })
}

/**
 * Of what Node was told for this program, what is to be loaded first. A thread complains of what is for the whole process, and
 * a process that this one starts must not take its port for a debugger.
 *
 * @internal
 */
export function loadedFirst(): string[] {
  return process.execArgv.flatMap((argument, index, all) => {
    if (/^(--import|--require|-r)$/.test(argument)) return [argument, all[index + 1] ?? '']
    return /^(--import|--require)=/.test(argument) ? [argument] : []
  })
}
