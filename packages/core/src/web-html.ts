/**
 * HTML as templates, in which whatever is put in is text, and not HTML, unless it is such a template itself.
 *
 * @since 0.14.0
 */
import { html as template } from 'hono/html'

/**
 * HTML from a template: `` html`<p>${text}</p>` ``. A text in it is escaped, whoever has written it. What `html` has made
 * goes in as it is, a list piece by piece; `undefined`, `null` and `false` are nothing.
 */
export const html: typeof template = template

/** What {@link html} makes. */
export type Html = ReturnType<typeof template>
