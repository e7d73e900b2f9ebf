/** Files that are waited for. */
import { promises } from './fs.ts'

export const { access, appendFile, mkdir, readFile, readdir, rename, rm, stat, unlink, writeFile } = promises
export default promises
