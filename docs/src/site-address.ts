/**
 * Where the site will be: the one setting, SITE_ADDRESS, such as `https://example.org/cluster/`. Canonical addresses,
 * the sitemap and the cards of social networks need it whole. Without it the site has none of these, since a wrong
 * address is worse than none.
 */

/** The address, which ends with `/`; nothing when SITE_ADDRESS is not set. */
export const SITE_ADDRESS = readAddress(process.env['SITE_ADDRESS'])

/** @throws Error when it is no address of a site */
function readAddress(text: string | undefined): URL | undefined {
  if (!text) return undefined
  const address = URL.parse?.(text) ?? (URL.canParse(text) ? new URL(text) : undefined)
  if (!address || !/^https?:$/.test(address.protocol) || address.search || address.hash) {
    throw new Error(
      `SITE_ADDRESS is "${text}". It is to be the address of the site's first page, such as https://example.org/cluster/`,
    )
  }
  if (!address.pathname.endsWith('/')) address.pathname += '/'
  return address
}
