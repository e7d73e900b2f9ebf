#!/usr/bin/env node
import { tmpdir } from 'node:os'

try {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new Error(`This needs Node 20.19 or later, and ${process.execPath} is ${process.versions.node}.`)
  }
  process.cwd() // throws where that folder is gone
  // Node 20 does not run TypeScript by itself: tsx does, from here on.
  const { register } = await import('tsx/esm/api')
  register()
  await import('../src/cli.ts')
} catch (error) {
  console.error(process.env['DEBUG'] ? error.stack : toldOf(error))
  process.exitCode = 2
}

/** What a reader is told when not even the tool's own files can be loaded. */
function toldOf({ message, code, path, syscall }) {
  if (syscall === 'uv_cwd') return 'The folder that this was started in is gone.'
  if (code === 'ERR_MODULE_NOT_FOUND')
    return `${message}. What it needs is installed by this, in the repository's folder: npx -y pnpm@12 install`
  if (path?.startsWith(tmpdir()))
    return `Cannot write to the folder for temporary files, which TMPDIR names: ${message}`
  return message
}
