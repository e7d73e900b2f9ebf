import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { holdName, releaseName } from '../src/held-name.ts'
import { newKey, readKeyFile, writeKeyFile } from '../src/key-files.ts'
import { addKey, listKeys, revokeKey, rotateKey } from '../src/keys.ts'
import { fingerprintOf } from '../src/secure-sockets.ts'
import { partsOfIdentity, tlsIdentityOf, tlsKeyOf } from '../src/tls-keys.ts'
import { tempFolder } from './support.ts'

const DAY_MS = 24 * 60 * 60 * 1000

const newFolder = () => join(tempFolder(), 'state', 'keys')
const keysIn = async (file: string) => (await readKeyFile(file)).keys

describe('a key', () => {
  test('is added, in a file that only its owner may read, and listed without being shown', async () => {
    const folder = newFolder()
    const { file, fingerprint } = await addKey({ folder, node: 'pi-10' })
    await addKey({ folder, node: 'pi-9' })
    expect(file).toBe(join(folder, 'pi-10.key'))
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    const { keys, problems } = await listKeys({ folder })
    expect(problems).toEqual([])
    expect(keys).toEqual([
      {
        node: 'pi-9',
        fingerprint: expect.stringMatching(/^[0-9a-f]{8}$/),
        since: expect.stringMatching(/Z$/),
      },
      { node: 'pi-10', fingerprint, since: expect.stringMatching(/Z$/) },
    ])
    const [{ key = '' } = {}] = await keysIn(file)
    expect(JSON.stringify(keys)).not.toContain(key)
    expect(fingerprint).toBe(fingerprintOf(Buffer.from(key, 'base64url')))
  })

  test('is not replaced by adding it again', async () => {
    const folder = newFolder()
    const { file } = await addKey({ folder, node: 'pi-1' })
    const before = await readFile(file, 'utf8')
    await expect(addKey({ folder, node: 'pi-1' })).rejects.toThrow(
      `pi-1 has a key already, in ${file}. To give it a new one: rotate. To take it away: revoke.`,
    )
    expect(await readFile(file, 'utf8')).toBe(before)
  })

  test('is revoked, and nothing of it is left', async () => {
    const folder = newFolder()
    await addKey({ folder, node: 'pi-1' })
    await addKey({ folder, node: 'pi-2' })
    await revokeKey({ folder, node: 'pi-1' })
    expect(await readdir(folder)).toEqual(['pi-2.key'])
    await expect(revokeKey({ folder, node: 'pi-1' })).rejects.toThrow(
      `pi-1 has no key in ${folder}. These have one: pi-2.`,
    )
  })

  test('is rotated: the new one holds, and the older one until a moment', async () => {
    const folder = newFolder()
    const first = await addKey({ folder, node: 'pi-1' })
    const now = Date.now()
    const second = await rotateKey({ folder, node: 'pi-1', overlapMs: DAY_MS })
    expect(Date.parse(second.olderUntil)).toBeGreaterThanOrEqual(now + DAY_MS)
    expect((await listKeys({ folder })).keys).toEqual([
      expect.objectContaining({ fingerprint: second.fingerprint }),
      expect.objectContaining({ fingerprint: first.fingerprint, until: second.olderUntil }),
    ])
    // The next rotation does not make the first hold for longer, and one without an overlap ends both.
    const third = await rotateKey({ folder, node: 'pi-1', overlapMs: 2 * DAY_MS })
    expect((await keysIn(first.file)).map(({ until }) => until)).toEqual([
      undefined,
      third.olderUntil,
      second.olderUntil,
    ])
    const fourth = await rotateKey({ folder, node: 'pi-1', overlapMs: 0 })
    expect((await listKeys({ folder })).keys.map(({ fingerprint }) => fingerprint)).toEqual([
      fourth.fingerprint,
    ])
    for (let count = 0; count < 10; count += 1) await rotateKey({ folder, node: 'pi-1' })
    expect(await keysIn(first.file)).toHaveLength(8)
  })

  test('is lost by none of many programs that write at once', async () => {
    const folder = newFolder()
    await addKey({ folder, node: 'pi-1' })
    const rotations = Array.from({ length: 6 }, () => rotateKey({ folder, node: 'pi-1' }))
    const adding = Array.from({ length: 6 }, () => addKey({ folder, node: 'pi-2' }))
    const [made, tried] = await Promise.all([Promise.all(rotations), Promise.allSettled(adding)])
    const added = tried.filter(({ status }) => status === 'fulfilled')
    expect(added).toHaveLength(1)
    const { keys } = await listKeys({ folder })
    const known = keys.filter(({ node }) => node === 'pi-1').map(({ fingerprint }) => fingerprint)
    expect(known).toHaveLength(7)
    expect(known).toEqual(expect.arrayContaining(made.map(({ fingerprint }) => fingerprint)))
    expect((await readdir(folder)).sort()).toEqual(['pi-1.key', 'pi-2.key'])
  })
})

describe('what cannot be done is told', () => {
  test('a name that is none', async () => {
    const folder = newFolder()
    for (const node of ['../pi', '.pi', 'a/b', '', 'x'.repeat(64), 'pi 1', 'pi\n'])
      for (const change of [addKey, revokeKey, rotateKey])
        await expect(change({ folder, node })).rejects.toThrow(/^A node cannot be called /)
  })

  test('a folder that is not there, and is not made by that', async () => {
    const folder = newFolder()
    for (const work of [
      listKeys({ folder }),
      revokeKey({ folder, node: 'pi' }),
      rotateKey({ folder, node: 'pi' }),
    ])
      await expect(work).rejects.toThrow(
        `There are no keys yet: ${folder} is not there. The program that others connect to makes it at its first start.`,
      )
    await expect(stat(folder)).rejects.toThrow('ENOENT')
  })

  test('an overlap that is no time', async () => {
    const folder = newFolder()
    await addKey({ folder, node: 'pi-1' })
    for (const overlapMs of [-1, Number.NaN, Number.POSITIVE_INFINITY, 366 * DAY_MS])
      await expect(rotateKey({ folder, node: 'pi-1', overlapMs })).rejects.toThrow(RangeError)
  })

  test('files that cannot be used, beside those that can', async () => {
    const folder = newFolder()
    await addKey({ folder, node: 'pi-1' })
    await addKey({ folder, node: 'pi-2' })
    await chmod(join(folder, 'pi-2.key'), 0o640)
    await writeFile(join(folder, 'pi-3.key'), 'no keys', { mode: 0o600 })
    await writeKeyFile(join(folder, 'pi-4.key'), { node: 'pi-1', keys: [newKey()] })
    await writeFile(join(folder, 'pi-1.key.new'), 'left by a power cut')
    await mkdir(join(folder, 'old'))
    const { keys, problems } = await listKeys({ folder })
    expect(keys.map(({ node }) => node)).toEqual(['pi-1'])
    expect(problems).toEqual([
      expect.stringMatching(
        /pi-2\.key is refused: others can get at it, since its mode is 640\. Do: chmod 600 /,
      ),
      expect.stringMatching(/^There are no keys in \S+pi-3\.key that can be used/),
      expect.stringMatching(/pi-4\.key is refused: the key in it is that of pi-1\.$/),
    ])
    await expect(rotateKey({ folder, node: 'pi-2' })).rejects.toThrow(/chmod 600/)
    await expect(rotateKey({ folder, node: 'pi-4' })).rejects.toThrow(
      /pi-4\.key is refused: the key in it is that of pi-1\.$/,
    )
    expect((await readKeyFile(join(folder, 'pi-4.key'))).node).toBe('pi-1')
  })
})

test('what TLS gets is neither the key nor its fingerprint, and says of none the other', () => {
  const key = Buffer.alloc(32, 7)
  // Fixed: a node of today and a primary of another version must make the same of one key.
  expect(tlsKeyOf(key).toString('hex')).toMatchInlineSnapshot(
    `"a9f1962b2dde346576e52315e3ad769210e0d6c19baf515dcc66e15c650b6811"`,
  )
  expect(tlsIdentityOf('pi-3', key)).toMatchInlineSnapshot(`"pi-3/f085e3c3"`)
  expect(partsOfIdentity(tlsIdentityOf('pi-3', key))).toEqual({
    node: 'pi-3',
    fingerprint: fingerprintOf(key),
  })
  for (const none of ['', 'pi-3', 'pi-3/', '/0d6f21aa', 'pi-3/0D6F21AA', 'a/b/0d6f21aa', 'pi-3/0d6f21aa\n'])
    expect(partsOfIdentity(none)).toBeUndefined()
})

test('a name that is held can be given back, by who holds it', async () => {
  const name = `a name of a test ${process.pid}`
  expect(await holdName(name)).toBe(true)
  expect(await holdName(name)).toBe(false)
  await releaseName('a name that nobody holds')
  await releaseName(name)
  expect(await holdName(name)).toBe(true)
  await releaseName(name)
})
