/**
 * A site for people: pages, files and JSON, served to browsers by a program that does something else besides. What a
 * browser may do to such a program is bounded, and so is what a page may do in a browser.
 *
 * Programs import these from here. Each idea stands in a file of its own. Only who imports this loads a web framework.
 *
 * @since 0.14.0
 */

// Text as HTML: what stands in `${}` is escaped.
export { type Html, html } from './web-html.ts'
// Serving a site, within limits.
export { type ServeSiteOptions, type SiteServer, serveSite } from './web-server.ts'
// What a site has, and what goes with each of its answers.
export { createSite, type Site, type SiteChanges, type SiteOptions, serveFile } from './web-site.ts'
