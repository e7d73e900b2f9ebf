/**
 * A chapter on its way to a Pi: `pnpm deploy` makes a folder with all that the chapter needs, and its
 * programs run there without the workspace.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { freePort, Running } from '../src/harness.ts'
import { PNPM } from '../src/pnpm.ts'

const CHAPTER = '06-slave-details'
const CORE = fileURLToPath(new URL('../../core', import.meta.url))

let folder: string
let deployed: string

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'deployed-')))
  deployed = join(folder, CHAPTER)
  const [command, ...args] = PNPM
  await execa(command, [...args, `--filter=${CHAPTER}`, 'deploy', '--prod', '--prefer-offline', deployed], {
    cwd: CORE,
  })
}, 120_000)

afterAll(() => rm(folder, { recursive: true }))

test('nothing in a deployed chapter leads out of its folder', async () => {
  const entries = await readdir(deployed, { recursive: true, withFileTypes: true })
  const links = entries
    .filter((entry) => entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name))
  const targets = await Promise.all(links.map((link) => realpath(link)))
  expect(targets.length).toBeGreaterThan(0)
  expect(targets.filter((target) => !target.startsWith(deployed + sep))).toEqual([])
})

test('a deployed chapter has the sources of core, which its programs run, and what was built of it', async () => {
  const core = join(deployed, 'node_modules/@rpi-cluster/core')
  expect(await readdir(join(core, 'src'))).toEqual(await readdir(join(CORE, 'src')))
  expect(existsSync(join(core, 'dist'))).toBe(existsSync(join(CORE, 'dist')))
})

test('master and slave run in a deployed chapter, and log there', async () => {
  const port = await freePort()
  const config = join(folder, 'other.cfg')
  await writeFile(
    config,
    `[master]\nsocket_port = ${port}\nsocket_bind_ip = 127.0.0.1\n[slave]\nsocket_port = ${port}\nmaster_ip = 127.0.0.1\n`,
  )
  const { scripts } = JSON.parse(await readFile(join(deployed, 'package.json'), 'utf8'))

  function run(program: string): Running {
    // In an environment without traces of pnpm and vitest, as a Pi's.
    const child = spawn(`exec ${scripts[program]} --config '${config}'`, {
      cwd: deployed,
      detached: true,
      env: { PATH: process.env['PATH'] },
      shell: true,
    })
    const running = new Running(child)
    onTestFinished(() => running.kill())
    return running
  }

  const master = run('master')
  await master.says(/Listening on/)
  const slave = run('slave')
  await master.says(/Machine specifications: \{"hostname"/)
  for (const running of [slave, master]) {
    await running.stop('SIGTERM')
    expect(running.exitCode).toBe(0)
  }
  for (const program of ['master', 'slave']) {
    expect(await readFile(join(deployed, `${program}.log`), 'utf8')).toContain('"msg":"Stopped"')
  }
})
