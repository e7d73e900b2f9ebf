/**
 * Keeps in the browser what was read, and the part of the series around it, so that it can be read without a network.
 * The build puts constants in front of this: VERSION, which changes with any file; SHELL, the files that every page
 * needs; GROUPS, the files of each part or page by its name; and PAGES, the names of the groups of each page. All
 * addresses count from the site's base.
 */
/* global VERSION, SHELL, GROUPS, PAGES */

const PREFIX = `site ${self.registration.scope} `
const NAME = PREFIX + VERSION

self.addEventListener('install', (event) => {
  event.waitUntil(install().then(() => self.skipWaiting()))
})

self.addEventListener('activate', (event) => {
  event.waitUntil(forgetOthers().then(() => self.clients.claim()))
})

self.addEventListener('message', (event) => {
  if (typeof event.data?.read === 'string') event.waitUntil(keep(groupsOf([event.data.read])))
})

self.addEventListener('fetch', (event) => {
  const isOurs = event.request.method === 'GET' && event.request.url.startsWith(self.registration.scope)
  if (isOurs) event.respondWith(answer(event.request))
})

/** Keeps the shell, and what an older version had of parts and pages. All of it, or the older version stays. */
async function install() {
  const cache = await caches.open(NAME)
  const olds = await Promise.all((await others()).map((name) => caches.open(name)))
  const known = (await Promise.all(olds.map((old) => old.keys()))).flat().map(({ url }) => addressOf(url))
  const files = new Set([...SHELL, ...groupsOf(known).flatMap((group) => GROUPS[group] ?? [])])
  await Promise.all(
    [...files].map(async (file) => {
      // What is in assets has its content in its name.
      const same = file.startsWith('assets/') ? await fromAny(olds, file) : undefined
      await (same ? cache.put(file, same) : add(cache, file))
    }),
  )
}

/** Keeps some groups. What does not come now is tried again with the next page. */
async function keep(groups) {
  const cache = await caches.open(NAME)
  await Promise.all(
    groups
      .flatMap((group) => GROUPS[group] ?? [])
      .map(async (file) => {
        if (!(await cache.match(file))) await add(cache, file).catch(() => {})
      }),
  )
}

function groupsOf(pages) {
  return [...new Set(pages.flatMap((page) => PAGES[page] ?? []))]
}

/** Asks the network for a file, and keeps it. */
async function add(cache, file) {
  await cache.add(new Request(file || './', { cache: 'no-cache' }))
}

async function fromAny(olds, file) {
  for (const old of olds) {
    const found = await old.match(file)
    if (found) return found
  }
  return undefined
}

async function others() {
  return (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== NAME)
}

async function forgetOthers() {
  await Promise.all((await others()).map((name) => caches.delete(name)))
}

/** An address below the base, without what stands behind its `?` or `#`. */
function addressOf(url) {
  return url.slice(self.registration.scope.length).replace(/[?#].*$/, '')
}

/** What is kept, whatever the address asks for behind its `?`, or else what the network has. */
async function answer(request) {
  const cache = await caches.open(NAME)
  const kept = await cache.match(request, { ignoreSearch: true })
  if (kept) return kept
  try {
    const response = await fetch(request)
    // What was loaded once stays: it has its content in its name.
    if (response.ok && addressOf(request.url).startsWith('assets/'))
      await cache.put(request, response.clone())
    return response
  } catch (error) {
    if (request.mode !== 'navigate') throw error
    return new Response(await notKept(cache), { status: 503, headers: { 'content-type': 'text/html' } })
  }
}

/** In place of a page that is not here: what is. */
async function notKept(cache) {
  const addresses = (await cache.keys())
    .map(({ url }) => addressOf(url))
    .filter((address) => address in PAGES)
  const links = ['', ...addresses.sort()].map(
    (address) => `<li><a href="${self.registration.scope}${address}">${address || 'The first page'}</a></li>`,
  )
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><link rel="icon" href="${self.registration.scope}icon.svg"><title>No network</title>
<body style="max-width: 40rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.6 system-ui">
<h1>No network, and this page was not kept</h1>
<p>What you have read is kept in your browser, and the part of the series around it:</p><ul>${links.join('')}</ul>`
}
