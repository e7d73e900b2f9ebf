/** What libraries look for while they are loaded, before the program's process is there. */
export const early = {
  env: {},
  argv: [],
  platform: 'linux',
  version: 'v22.0.0',
  versions: { node: '22.0.0' },
  nextTick: (run: (...values: unknown[]) => void, ...values: unknown[]) =>
    queueMicrotask(() => run(...values)),
}

Object.assign(globalThis, { global: globalThis, process: early })
export default early
export const { nextTick } = early
