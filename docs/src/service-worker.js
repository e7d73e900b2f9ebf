/**
 * Keeps the whole site in the browser, so that it can be read without a network. The build puts two
 * constants in front of this: VERSION, which changes with any file, and FILES, all addresses below the base.
 */
/* global VERSION, FILES */

const PREFIX = `site ${self.registration.scope} `
const NAME = PREFIX + VERSION

self.addEventListener('install', (event) => {
  event.waitUntil(keepAll().then(() => self.skipWaiting()))
})

self.addEventListener('activate', (event) => {
  event.waitUntil(forgetOthers().then(() => self.clients.claim()))
})

self.addEventListener('fetch', (event) => {
  const isOurs = event.request.method === 'GET' && event.request.url.startsWith(self.registration.scope)
  if (isOurs) event.respondWith(answer(event.request))
})

/** Keeps every file. All of them, or the old version stays: `addAll` fails as a whole. */
async function keepAll() {
  const cache = await caches.open(NAME)
  await cache.addAll(FILES.map((file) => new Request(file, { cache: 'no-cache' })))
}

async function forgetOthers() {
  const names = await caches.keys()
  const old = names.filter((name) => name.startsWith(PREFIX) && name !== NAME)
  await Promise.all(old.map((name) => caches.delete(name)))
}

/** What is kept, whatever the address asks for behind its `?`, or else what the network has. */
async function answer(request) {
  const cache = await caches.open(NAME)
  return (await cache.match(request, { ignoreSearch: true })) ?? fetch(request)
}
