import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { newKey, openKey, openKeys, readKeyFile, writeKeyFile } from '../src/key-files.ts'
import { recordingLog, start, stopAfterTest, tempFolder } from './support.ts'

const PATIENCE = { timeout: 20_000, interval: 5 }
const whereFilesHaveOwners = test.skipIf(process.platform === 'win32')
const asRoot = test.skipIf(process.getuid?.() !== 0)

/** A folder for keys that is not there yet, and what is logged. */
function aPlace() {
  const { signal: stop } = stopAfterTest()
  const { log, records } = recordingLog()
  const folder = join(tempFolder(), 'keys')
  const fileOf = (node: string) => join(folder, `${node}.key`)
  const lines = () => records.map(({ msg }) => String(msg))
  const opened = (...nodes: string[]) => openKeys({ folder, nodes, log, stop })
  return { stop, log, lines, folder, fileOf, opened }
}

describe('the keys of all nodes', () => {
  test('are the same for all of several programs that find none at the same moment', async () => {
    const { opened, folder, lines } = aPlace()
    const all = await Promise.all(Array.from({ length: 5 }, () => opened('pi-3', 'pi-4')))
    const kept = (await readKeyFile(join(folder, 'pi-3.key'))).keys[0]?.key
    for (const keys of all) expect(keys.keysOf('pi-3')[0]?.toString('base64url')).toBe(kept)
    expect(lines()).toEqual([expect.stringMatching(/^Made a key for each of pi-3, pi-4, in /)])
    expect(readdirSync(join(folder, '..'))).toEqual(['keys'])
  })

  whereFilesHaveOwners(
    'are made at the first start, for nobody but their owner, and never again',
    async () => {
      const { opened, folder, fileOf, lines } = aPlace()
      const keys = await opened('pi-3', 'pi-4')
      expect(readdirSync(folder).sort()).toEqual(['pi-3.key', 'pi-4.key'])
      expect(statSync(folder).mode & 0o777).toBe(0o700)
      expect(statSync(fileOf('pi-3')).mode & 0o777).toBe(0o600)
      expect(JSON.parse(readFileSync(fileOf('pi-3'), 'utf8'))).toEqual({
        node: 'pi-3',
        keys: [
          { key: keys.keysOf('pi-3')[0]?.toString('base64url'), since: expect.stringMatching(/^\d{4}-.*Z$/) },
        ],
      })
      expect(keys.keysOf('pi-3')[0]).toHaveLength(32)
      expect(keys.keysOf('pi-3')).not.toEqual(keys.keysOf('pi-4'))
      expect(lines()).toEqual([
        `Made a key for each of pi-3, pi-4, in ${folder}. A node on another machine needs its file there.`,
      ])

      const again = await opened('pi-3', 'pi-4', 'pi-5')
      expect(again.keysOf('pi-3')).toEqual(keys.keysOf('pi-3'))
      expect(again.nodes.sort()).toEqual(['pi-3', 'pi-4'])
      expect(lines().at(-1)).toBe(
        `No access for pi-5: there is no key of theirs in ${folder}. Put it there, or delete that folder: at the next start all keys are made anew.`,
      )
    },
  )

  test('that were begun and not finished are made anew', async () => {
    const { opened, folder } = aPlace()
    mkdirSync(`${folder}.new`)
    writeFileSync(join(`${folder}.new`, 'pi-3.key'), '{"node":')
    expect((await opened('pi-3')).keysOf('pi-3')).toHaveLength(1)
  })

  test('that are added, changed, or gone hold without a restart, and that is told to who listens', async () => {
    const { opened, fileOf } = aPlace()
    const keys = await opened('pi-3')
    const told: string[] = []
    keys
      .on('change', (node) => told.push(`change ${node}`))
      .on('revoked', (node) => told.push(`revoked ${node}`))
    await writeKeyFile(fileOf('pi-4'), { node: 'pi-4', keys: [newKey()] })
    await vi.waitFor(() => expect(keys.keysOf('pi-4')).toHaveLength(1), PATIENCE)
    const [old] = (await readKeyFile(fileOf('pi-3'))).keys
    await writeKeyFile(fileOf('pi-3'), { node: 'pi-3', keys: [newKey(), old as never] })
    await vi.waitFor(() => expect(keys.keysOf('pi-3')).toHaveLength(2), PATIENCE)
    expect(keys.keysOf('pi-3')[1]?.toString('base64url')).toBe(old?.key)
    rmSync(fileOf('pi-3'))
    await vi.waitFor(() => expect(keys.keysOf('pi-3')).toEqual([]), PATIENCE)
    expect(told).toEqual(['change pi-4', 'change pi-3', 'change pi-3', 'revoked pi-3'])
    expect(keys.nodes).toEqual(['pi-4'])
  })

  test('are looked at in a folder that has the name now, too', async () => {
    const { opened, folder } = aPlace()
    const keys = await opened('pi-3')
    renameSync(folder, `${folder}.old`)
    mkdirSync(folder)
    copyFileSync(join(`${folder}.old`, 'pi-3.key'), join(folder, 'pi-3.key'))
    await writeKeyFile(join(folder, 'pi-4.key'), { node: 'pi-4', keys: [newKey()] })
    await vi.waitFor(() => expect(keys.nodes.sort()).toEqual(['pi-3', 'pi-4']), PATIENCE)
  })

  test('hold until their time has come', async () => {
    const { opened, fileOf } = aPlace()
    const keys = await opened('pi-3')
    const revoked: string[] = []
    keys.on('revoked', (node) => revoked.push(node))
    const dated = (until: number) => ({ ...newKey(), until: new Date(until).toISOString() })
    const soon = dated(Date.now() + 300)
    await writeKeyFile(fileOf('pi-3'), { node: 'pi-3', keys: [soon, dated(Date.now() - 1)] })
    await keys.look()
    await vi.waitFor(() => expect(keys.keysOf('pi-3')).toEqual([]), PATIENCE)
    await vi.waitFor(() => expect(revoked).toEqual(['pi-3']), PATIENCE)
  })

  whereFilesHaveOwners('are refused when others can read them, with what to do', async () => {
    const { opened, fileOf, lines } = aPlace()
    const keys = await opened('pi-3')
    for (const mode of [0o640, 0o604, 0o660]) {
      chmodSync(fileOf('pi-3'), mode)
      await keys.look()
      expect(keys.keysOf('pi-3')).toEqual([])
      const path = fileOf('pi-3')
      expect(lines().at(-1)).toBe(
        `The key in ${path} is refused: others can get at it, since its mode is ${mode.toString(8)}. Do: chmod 600 ${path}`,
      )
    }
    chmodSync(fileOf('pi-3'), 0o400)
    await keys.look()
    expect(keys.keysOf('pi-3')).toHaveLength(1)
  })

  whereFilesHaveOwners('are taken from systemd, whatever their mode', async () => {
    const { opened, fileOf, folder } = aPlace()
    await opened('pi-3')
    chmodSync(fileOf('pi-3'), 0o440)
    await expect(readKeyFile(fileOf('pi-3'))).rejects.toThrow(/mode is 440/)
    vi.stubEnv('CREDENTIALS_DIRECTORY', folder)
    onTestFinished(() => void vi.unstubAllEnvs())
    expect((await readKeyFile(fileOf('pi-3'))).node).toBe('pi-3')
    vi.stubEnv('CREDENTIALS_DIRECTORY', join(folder, '..'))
    await expect(readKeyFile(fileOf('pi-3'))).rejects.toThrow(/mode is 440/)
  })

  asRoot("are refused when they are somebody else's", async () => {
    const { opened, fileOf, lines } = aPlace()
    const keys = await opened('pi-3')
    chownSync(fileOf('pi-3'), 12345, 12345)
    await keys.look()
    expect(keys.keysOf('pi-3')).toEqual([])
    expect(lines().at(-1)).toMatch(
      /the file belongs to user 12345, and this program runs as user 0\. Do: sudo chown 0 \//,
    )
  })

  whereFilesHaveOwners(
    'are refused when it is no file that bears the name, and a pipe keeps nobody waiting',
    async () => {
      const { opened, fileOf, lines } = aPlace()
      const keys = await opened('pi-3')
      mkdirSync(fileOf('pi-4'))
      execFileSync('mkfifo', ['-m', '600', fileOf('pi-5')])
      await keys.look()
      expect(keys.nodes).toEqual(['pi-3'])
      expect(lines()).toContain(`${fileOf('pi-4')} is a folder, and no key file.`)
      expect(lines()).toContain(`${fileOf('pi-5')} is a pipe, and no key file.`)
    },
  )

  test('are made once for a node that is named twice, and for nobody when none is named', async () => {
    const { opened, lines } = aPlace()
    expect((await opened('pi-3', 'pi-3')).nodes).toEqual(['pi-3'])
    expect(lines().at(-1)).toContain('Made a key for each of pi-3, in ')
    const other = aPlace()
    expect((await other.opened()).nodes).toEqual([])
    expect(other.lines()).toEqual([
      `Made ${other.folder}, without a key: no nodes are named for which to make one.`,
    ])
  })

  test.each([
    ['', 'nothing'],
    ['{"node":"pi-3","keys":[]}', 'no keys'],
    ['{"node":"pi-3","keys":[{"key":"SECRETSECRET","since":"2026-01-01T00:00:00.000Z"}]}', 'a short key'],
    [
      `{"node":"pi-3","keys":[{"key":"${'S'.repeat(43)}","since":"2026-01-01T00:00:00.000Z"}]}`,
      'a key that has two spellings',
    ],
    ['SECRETSECRET', 'no JSON'],
    [`"${'S'.repeat(20_000)}"`, 'too much'],
  ])('are refused when a file has %j in it: %s', async (text) => {
    const { opened, fileOf, lines } = aPlace()
    const keys = await opened('pi-3')
    writeFileSync(fileOf('pi-3'), text)
    await keys.look()
    expect(keys.keysOf('pi-3')).toEqual([])
    expect(lines().at(-1)).toMatch(
      /There are no keys in .*pi-3\.key that can be used|has 20002 bytes, and is no key file/,
    )
    expect(lines().join()).not.toMatch(/SECRET|SSSS/)
  })

  test('are those of the node that the file is called after', async () => {
    const { opened, fileOf, lines } = aPlace()
    const keys = await opened('pi-3')
    copyFileSync(fileOf('pi-3'), fileOf('pi-4'))
    chmodSync(fileOf('pi-4'), 0o600)
    await keys.look()
    expect(keys.nodes).toEqual(['pi-3'])
    expect(lines().at(-1)).toBe(
      `The key in ${fileOf('pi-4')} is refused: it is that of pi-3. A file is called as its node is.`,
    )
  })

  test('hold while the system cannot read their file, which is told once', async () => {
    const { fileOf, lines, opened } = aPlace()
    const keys = await opened('pi-3')
    const [key] = keys.keysOf('pi-3')
    const revoked: string[] = []
    keys.on('revoked', (node) => revoked.push(node))
    rmSync(fileOf('pi-3'))
    symlinkSync(fileOf('pi-3'), fileOf('pi-3')) // to read what leads to itself is an error of the system
    for (const _ of ['once', 'and again']) await keys.look()
    expect(keys.keysOf('pi-3')).toEqual([key])
    expect(revoked).toEqual([])
    expect(lines().filter((line) => /^Cannot look at the keys: .* hold\.$/.test(line))).toHaveLength(1)
    rmSync(fileOf('pi-3'))
    await keys.look()
    expect(keys.keysOf('pi-3')).toEqual([])
    expect(revoked).toEqual(['pi-3'])
  })

  test.each(['', '.pi', '../pi', 'pi/3', 'pi 3', 'pï', 'x'.repeat(64), 'pi\n'])(
    'are not made for a node called %j',
    async (node) => {
      await expect(aPlace().opened(node)).rejects.toThrow(/^A node cannot be called /)
    },
  )

  test.each(['pi-3', '_x', '-', 'PI.local', 'constructor', '__proto__', 'x'.repeat(63)])(
    'are made for a node called %j',
    async (node) => {
      const keys = await aPlace().opened(node)
      expect(keys.nodes).toEqual([node])
      expect(keys.keysOf('toString')).toEqual([])
    },
  )
})

describe('the key of a node', () => {
  test('is waited for, and told once', async () => {
    const { fileOf, log, lines, stop, opened } = aPlace()
    const opening = openKey({ file: fileOf('pi-3'), log, stop })
    await vi.waitFor(() => expect(lines()).toHaveLength(1), PATIENCE)
    expect(lines()[0]).toBe(
      `No key ${fileOf('pi-3')} yet: waiting for it. The program that this one connects to makes the keys at its first start; from another machine, copy it here.`,
    )
    const keys = await opened('pi-3')
    const key = await opening
    expect(key).toMatchObject({ node: 'pi-3', file: fileOf('pi-3') })
    expect(key.key).toEqual(keys.keysOf('pi-3')[0])
    expect(lines().filter((line) => line.startsWith('No key'))).toHaveLength(1)
  })

  test('is waited for no longer than until the stop', async () => {
    const { fileOf, log, lines } = aPlace()
    const stopping = new AbortController()
    const opening = openKey({ file: fileOf('pi-3'), log, stop: stopping.signal })
    await vi.waitFor(() => expect(lines()).toHaveLength(1), PATIENCE)
    stopping.abort()
    await expect(opening).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }))
  })

  test('is the newest, and read again for each connection', async () => {
    const { fileOf, log, stop, opened } = aPlace()
    await opened('pi-3')
    const key = await openKey({ file: fileOf('pi-3'), log, stop })
    const before = key.key
    const next = newKey()
    const { keys } = await readKeyFile(fileOf('pi-3'))
    await writeKeyFile(fileOf('pi-3'), { node: 'pi-3', keys: [next, ...keys] })
    expect((await key.current()).toString('base64url')).toBe(next.key)
    expect(key.key).not.toEqual(before)
    await writeKeyFile(fileOf('pi-3'), { node: 'pi-4', keys: [next] })
    await expect(key.current()).rejects.toThrow(/has the key of pi-4 in it now\. This node is pi-3/)
    rmSync(fileOf('pi-3'))
    await expect(key.current()).rejects.toThrow(
      /^The key of this node, \S+, is there no more\. Was it revoked\?/,
    )
  })

  test('is not waited for in a folder that cannot be read', async () => {
    const { folder, log, stop } = aPlace()
    writeFileSync(folder, 'no folder')
    await expect(openKey({ file: join(folder, 'pi-*.key'), log, stop })).rejects.toThrow(
      /^Cannot look for the key of this node: ENOTDIR/,
    )
  })

  whereFilesHaveOwners('ends the program when others can read it', async () => {
    const { fileOf, log, stop, opened } = aPlace()
    await opened('pi-3')
    chmodSync(fileOf('pi-3'), 0o644)
    await expect(openKey({ file: fileOf('pi-3'), log, stop })).rejects.toThrow(/Do: chmod 600 \//)
  })

  test('of several nodes on one machine each has its own, also after kill -9', {
    timeout: 60_000,
  }, async () => {
    const { fileOf, opened } = aPlace()
    await opened('pi-10', 'pi-2', 'pi-3', 'other')
    const runs = async () => {
      const program = start('has-a-key.ts', [fileOf('pi-*')])
      await vi.waitFor(() => expect(program.stdout).toMatch(/I am|all keys/), PATIENCE)
      return program
    }
    const first = await runs()
    const second = await runs()
    expect([first, second].map(({ stdout }) => /I am .*/.exec(stdout)?.[0])).toEqual([
      'I am pi-2',
      'I am pi-3',
    ])
    first.child.kill('SIGKILL')
    await first.ended
    const third = await runs()
    expect(third.stdout).toContain('I am pi-2')
    await runs()
    const fifth = await runs()
    expect(fifth.stdout).toContain('Other programs of this machine have all keys')
    second.child.kill('SIGKILL')
    await vi.waitFor(() => expect(fifth.stdout).toContain('I am pi-3'), PATIENCE)
  })

  test('shows nothing but whose it is', async () => {
    const { fileOf, log, stop, opened, folder } = aPlace()
    const keys = await opened('pi-3')
    const key = await openKey({ file: fileOf('pi-3'), log, stop })
    expect([inspect(key), JSON.stringify(key), `${key}`]).toEqual([
      '[key of pi-3]',
      '"[key of pi-3]"',
      '[key of pi-3]',
    ])
    expect([inspect(keys), JSON.stringify(keys)]).toEqual(['[keys of pi-3]', '"[keys of 1 nodes]"'])
    expect(keys.folder).toBe(folder)
  })
})
