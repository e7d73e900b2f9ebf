/** Writes the service worker of a built site, by which a browser keeps the site for when there is no network. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The name of the service worker, below the site's base. */
const NAME = 'service-worker.js'

/**
 * Writes `service-worker.js` into a built site.
 *
 * @param folder the built site: its absolute path
 */
export function writeServiceWorker(folder: string): void {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file !== NAME && statSync(join(folder, file)).isFile())
    .sort()
  const version = createHash('sha256')
  for (const file of files) version.update(file).update(readFileSync(join(folder, file)))
  const worker = readFileSync(join(import.meta.dirname, NAME), 'utf8')
  // A page is asked for by its folder, and kept by that name.
  const addresses = files.map((file) => file.replace(/(^|\/)index\.html$/, '$1') || './')
  writeFileSync(
    join(folder, NAME),
    [
      `const VERSION = '${version.digest('hex').slice(0, 16)}'`,
      `const FILES = ${JSON.stringify(addresses)}`,
      worker,
    ].join('\n'),
  )
}
