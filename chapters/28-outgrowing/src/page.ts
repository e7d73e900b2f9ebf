/** What people see. */
import { serveEvents } from '@rpi-cluster/core/event-stream'
import { LiveTable } from '@rpi-cluster/core/live'
import { type Html, html, type Site, serveFile } from '@rpi-cluster/core/web'
import type { Asker } from './history.ts'
import { addHistory } from './history-page.ts'
import { membersHtml } from './members-page.ts'
import { layout, timeText } from './parts.ts'
import { addPictures, drawForm, showPictures } from './picture-page.ts'
import type { Pictures } from './pictures.ts'
import type { Work } from './work.ts'
import { showWork, workHtml } from './work-page.ts'

/** Adds the first page to a site, with all that belongs to it. */
export function addHome(site: Site, page: HomePage, pictures: Pictures, node: Asker) {
  site.get('/', (context) => context.html(page.html(context.get('mayChange') === true)))
  addPictures(site, pictures)
  addHistory(site, node)
  serveEvents(site, '/events', page.parts)
  serveFile(site, '/page.css', new URL('./page.css', import.meta.url))
  serveFile(site, '/page.js', new URL('./page.js', import.meta.url))
  serveFile(site, '/icon.svg', new URL('./icon.svg', import.meta.url))
}

/** The page, and its parts: each is a row of a table that browsers follow. */
export class HomePage {
  readonly parts = new LiveTable<Html>()
  readonly #picture: () => Html
  /** Who the primary is that is here; undefined while none is. */
  #primary: string | undefined
  #heard: Date | undefined

  constructor(work: Work, stop: AbortSignal) {
    this.#showPrimary()
    showWork(this.parts, work, stop)
    this.#picture = showPictures(this.parts, work.pictures)
  }

  primaryIsHere(name: string) {
    this.#primary = name
    this.#showPrimary()
  }

  primaryIsGone() {
    if (this.#primary) this.#heard = new Date()
    this.#primary = undefined
    this.#showPrimary()
  }

  #showPrimary() {
    this.parts.set('primary', primaryPart(this.#primary, this.#heard))
  }

  /** @param mayChange whether who looks may change something: all others are told how to get there */
  html(mayChange: boolean): Html {
    const { version, rows } = this.parts.changesSince()
    return layout(
      'Raspberry Pi Cluster',
      html`<p id="line" role="status"></p>
        <noscript><p>As of ${new Date().toLocaleString('sv')}. <a href="/">Look again</a></p></noscript>
        ${rows['leader']}
        ${rows['primary']}
        ${rows['said']}
        <div id="parts" class="${mayChange ? 'changes' : 'reads'}" data-version="${version}">
          ${membersHtml(rows)}
          <h2>The picture</h2>
          ${mayChange ? drawForm() : HOW_TO_CHANGE}
          ${this.#picture()}
          ${workHtml(rows)}
          <p><a href="/history">What has ended</a>: what ran where, how long, and how often it was tried.</p>
        </div>
        <script type="module" src="/page.js"></script>`,
    )
  }
}

const HOW_TO_CHANGE = html`<p>You can look. To hand out work, to cancel it and to try it again takes the token of this site: open the link that the web server has printed at its first start. Its log says which file has the token.</p>`

function primaryPart(name: string | undefined, heard: Date | undefined): Html {
  const gone = heard
    ? `No primary is here, since ${timeText(heard.getTime())}. What stands below is of then. The web server goes on trying.`
    : 'No primary has been reached yet. The web server goes on trying.'
  return html`<div id="primary" data-part>
    <p class="state ${name ? 'good' : 'bad'}">${name ? `What stands below comes from ${name}.` : gone}</p>
  </div>`
}

export function notFoundPage(): Html {
  return layout('There is no such page', html`<p>The cluster is on <a href="/">the first page</a>.</p>`)
}
