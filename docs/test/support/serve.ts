/** Serves a folder as a static host does: a file that is not there is a 404. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import getPort from 'get-port'
import sirv from 'sirv'

/**
 * Serves the files of a folder below a base.
 *
 * @param folder its absolute path
 * @param base `/`, or `/x/`: what lies above it is not there
 * @param isChanging whether the files may change meanwhile
 */
export async function serve(
  folder: string,
  base: string,
  isChanging = false,
): Promise<{ url: string; close(): Promise<void> }> {
  const files = sirv(folder, { etag: true, dev: isChanging })
  const server = createServer((request, response) => {
    const path = request.url ?? '/'
    if (path.startsWith(base)) {
      request.url = path.slice(base.length - 1)
      files(request, response)
    } else {
      response.writeHead(404).end()
    }
  })
  const port = await getPort()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${port}${base}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
