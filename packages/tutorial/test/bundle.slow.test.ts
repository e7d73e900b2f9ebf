/** A bundle on the processor of a Pi: 64-bit ARM, which qemu stands in for elsewhere. `.ci/run` installs what that needs. And its size. */
import { spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { bundleChapter } from '../src/bundle/bundle-chapter.ts'
import { allChapters, findChapter } from '../src/chapters/chapters.ts'
import { freePort, Running } from '../src/harness/harness.ts'

/** Where Debian's packages for another processor keep their libraries. */
const LIBRARIES = '/usr/aarch64-linux-gnu'

/** How long a start may take, in ms: each instruction is translated first. */
const PATIENCE_MS = 180_000

test('master and slave run on 64-bit ARM', { timeout: 3 * PATIENCE_MS }, async ({ skip }) => {
  const node = arm64Node()
  if (!node) return skip('ARM64_NODE does not say where a Node for 64-bit ARM is, to run it by qemu-aarch64')
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'arm64-')))
  onTestFinished(() => rm(folder, { recursive: true }))
  await bundleChapter(findChapter('6'), folder)
  const port = await freePort()
  await writeFile(
    join(folder, 'rpicluster.cfg'),
    `[master]\nsocket_port = ${port}\nsocket_bind_ip = 127.0.0.1\n[slave]\nsocket_port = ${port}\nmaster_ip = 127.0.0.1\n`,
  )

  function run(program: string): Running {
    const [command = '', ...args] = [...(node ?? []), program]
    const running = new Running(
      spawn(command, args, { cwd: folder, detached: true, env: { PATH: process.env['PATH'] } }),
    )
    onTestFinished(() => running.kill())
    return running
  }
  async function says(running: Running, pattern: RegExp): Promise<void> {
    await vi.waitFor(
      () => {
        const ended = running.exitCode === null ? '' : `It ended (${running.exitCode}).\n`
        expect(ended + running.lines.join('\n')).toMatch(pattern)
      },
      { timeout: PATIENCE_MS, interval: 200 },
    )
  }

  const master = run('master.js')
  await says(master, /Listening on/)
  const slave = run('slave.js')
  // Here Node knows nothing of the processor, unless it is a real one, so that all the ways to its name are gone.
  await says(master, /Machine specifications of \S+: \{"hostname":.*"cpu":"(?!unknown)[^"]+"/)
  // That they end in time is for tests on a processor of this machine's own.
  for (const running of [slave, master]) {
    running.signal('SIGTERM')
    await says(running, /Stopped|Still busy/)
  }
})

test.for(allChapters())(
  'the bundle of $name is under 1.7 MB, but for a database: it goes to each Pi',
  async (chapter) => {
    const folder = await mkdtemp(join(tmpdir(), 'size-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    await bundleChapter(chapter, folder)
    const own = readdirSync(folder).filter((file) => !file.endsWith('.wasm'))
    const sizes = own.map((file) => statSync(join(folder, file)).size)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1_700_000)
  },
)

/** The command that runs a Node for 64-bit ARM here; nothing when there is none. */
function arm64Node(): string[] | undefined {
  if (process.arch === 'arm64') return [process.execPath]
  const node = process.env['ARM64_NODE']
  return node ? ['qemu-aarch64', '-L', LIBRARIES, node] : undefined
}
