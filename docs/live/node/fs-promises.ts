/** Files that are waited for. */
import { closeSync, fsyncSync, openSync, promises, writeFileSync } from './fs.ts'

export const { access, appendFile, mkdir, readFile, readdir, rename, rm, stat, unlink, writeFile } = promises

/** An open file, as far as one is written and made to last. */
export async function open(path: string | URL, flags?: string | number, mode?: number) {
  const fd = openSync(path, flags, mode)
  return {
    fd,
    writeFile: async (data: string | Uint8Array) => writeFileSync(fd, data),
    sync: async () => fsyncSync(fd),
    close: async () => closeSync(fd),
  }
}

export default { ...promises, open }
