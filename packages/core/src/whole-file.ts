/**
 * A file that is written whole: whatever happens meanwhile, it has the old text in it or the new one.
 *
 * @since 0.15.0
 */
import { mkdir, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Writes a file so that a power cut leaves the old text or the new one, and never half of it or none: the new text is
 * on the disk before it gets the name. The folder is synchronised, too, because the name is its.
 *
 * @param mode who may read and write it, whatever the process's umask is. Default: everybody reads, as the umask allows.
 * @param owner whose file it is to be. Default: whose process this is.
 * @throws the system's error when it cannot be written
 * @internal
 */
export async function writeWhole(
  path: string,
  text: string,
  mode?: number,
  owner?: { uid: number; gid: number },
): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true })
  const beside = `${path}.new`
  const file = await open(beside, 'w', mode ?? 0o644)
  try {
    if (mode !== undefined) await file.chmod(mode) // one that was left from before has its own
    if (owner) await file.chown(owner.uid, owner.gid)
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(beside, path)
  await syncFolder(folder)
}

/**
 * Has the names in a folder on the disk.
 *
 * @internal
 */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return // a folder cannot be opened there
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
