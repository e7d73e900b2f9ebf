import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { programFolder } from '../src/program-folder.ts'
import { tempFolder } from './support.ts'

test('is the folder of the nearest package.json above the script, whatever the working directory', () => {
  const { root, script } = packageWithScript()
  writeFileSync(join(root, '..', 'package.json'), '{}')
  runAs(script)
  expect(programFolder()).toBe(root)
})

test('is that of the script itself where the script was started by a link', () => {
  const { root, script } = packageWithScript()
  const link = join(root, '..', 'link.ts')
  symlinkSync(script, link)
  runAs(link)
  expect(programFolder()).toBe(root)
})

test.each([undefined, '/no/such/script.ts'])(
  'is the working directory when there is no script (%s)',
  (script) => {
    runAs(script)
    expect(programFolder()).toBe(process.cwd())
  },
)

test('is the working directory when no package.json is above the script', () => {
  const script = join(tempFolder(), 'alone.ts')
  writeFileSync(script, '')
  runAs(script)
  expect(programFolder()).toBe(process.cwd())
})

function packageWithScript() {
  const root = join(realpathSync(tempFolder()), 'chapter')
  const script = join(root, 'src', 'deeper', 'script.ts')
  mkdirSync(join(root, 'src', 'deeper'), { recursive: true })
  writeFileSync(join(root, 'package.json'), '{}')
  writeFileSync(script, '')
  return { root, script }
}

/** As if Node had been started with this script. */
function runAs(script: string | undefined): void {
  const [node = '', before = ''] = process.argv
  process.argv = script === undefined ? [node] : [node, script]
  onTestFinished(() => {
    process.argv = [node, before]
  })
}
