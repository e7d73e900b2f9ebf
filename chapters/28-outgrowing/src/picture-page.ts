/** The picture on the page: each tile appears when it is drawn, in the colour of its node. */
import { type Html, html, type Site } from '@rpi-cluster/core/web'
import { inOrder, type Parts, swatch } from './parts.ts'
import { VIEWS } from './picture.ts'
import { type Picture, type Pictures, placeOf } from './pictures.ts'
import { type PaintedTile, pngOf } from './png.ts'

/** How wide a picture can be chosen, in pixels. */
const WIDTHS = [400, 800, 1_600]

/** Adds the pictures to a site: a tile of one, and as much of one as is there. */
export function addPictures(site: Site, pictures: Pictures) {
  const send = (png: Uint8Array, keep: string) =>
    new Response(Buffer.from(png), { headers: { 'Content-Type': 'image/png', 'Cache-Control': keep } })
  site.get('/pictures/:group/:place{.+\\.png}', (context) => {
    const { group, place } = context.req.param()
    const tile = pictures.get(group)?.tiles.get(place.replace(/\.png$/, ''))
    if (!tile) return context.notFound()
    // Such a tile never changes.
    return send(pngOf(tile.width, tile.height, [{ ...tile, x: 0, y: 0 }]), 'max-age=86400, immutable')
  })
  site.get('/pictures/:file{.+\\.png}', (context) => {
    const picture = pictures.get(context.req.param('file').replace(/\.png$/, ''))
    return picture ? send(pictures.png(picture), 'no-cache') : context.notFound()
  })
}

/**
 * From now on the newest picture is on the page.
 *
 * @returns what makes it as it is now, with its tiles, for a page that begins
 */
export function showPictures(parts: Parts, pictures: Pictures): () => Html {
  let shown: Picture | undefined
  parts.set('picture', picturePart(shown, []))
  pictures.onChange = (picture, tile) => {
    if (picture !== shown) {
      if (pictures.list().at(-1) !== picture) return // an older one goes on being drawn
      for (const [id] of parts.entries()) if (id.startsWith('tile-')) parts.delete(id)
      shown = picture
      parts.set('picture', picturePart(picture, []))
    }
    if (tile) parts.set(tileId(picture, tile), tilePart(picture, tile))
    parts.set('drawn-by', drawnByPart(picture))
  }
  return () => picturePart(shown, shown ? [...shown.tiles.values()] : [])
}

/** What hands in a picture. */
export function drawForm(): Html {
  const views = Object.keys(VIEWS).map((view) => html`<option>${view}</option>`)
  const widths = WIDTHS.map((width) => html`<option ${width === 800 && 'selected'}>${width}</option>`)
  return html`<form class="draw" method="post" action="/api/pictures">
    <label>View <select name="view">${views}</select></label>
    <label>Width <select name="width">${widths}</select></label>
    <button>Draw it</button>
  </form>`
}

/** An SVG, since it puts each tile in its place however wide the page is. A tile that comes later is put into it. */
function picturePart(picture: Picture | undefined, tiles: PaintedTile[]): Html {
  if (!picture) return html`<div id="picture" data-part><p>Nobody has handed in a picture yet.</p></div>`
  const { group, width, height } = picture
  const label = `The picture ${group}, as far as it is drawn`
  return html`<div id="picture" data-part>
    <svg id="canvas" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">
      ${tiles.map((tile) => tilePart(picture, tile))}
    </svg>
    ${drawnByPart(picture)}
    <p><a href="/pictures/${encodeURIComponent(group)}.png">${group} as PNG</a>, ${width} by ${height} pixels</p>
  </div>`
}

/** An SVG of its own in that one: only as such does a browser know what it is before it is put there. */
function tilePart(picture: Picture, tile: PaintedTile): Html {
  const { x, y, width, height } = tile
  const address = `/pictures/${encodeURIComponent(picture.group)}/${placeOf(tile)}.png`
  return html`<svg id="${tileId(picture, tile)}" data-part data-into="canvas" x="${x}" y="${y}" width="${width}" height="${height}">
    <image href="${address}" width="${width}" height="${height}" />
  </svg>`
}

function tileId({ group }: Picture, tile: PaintedTile): string {
  return `tile-${encodeURIComponent(group)}-${placeOf(tile)}`
}

/** Who has drawn how much, in words: the colours say it sooner, and not to everybody. */
function drawnByPart({ tiles }: Picture): Html {
  const counts = new Map<string, number>()
  for (const { node } of tiles.values()) counts.set(node, (counts.get(node) ?? 0) + 1)
  const nodes = [...counts].sort(([a], [b]) => inOrder.compare(a, b))
  return html`<ul id="drawn-by" class="drawn-by" data-part>
    ${nodes.map(([node, count]) => html`<li>${swatch(node)} ${node}: ${count} ${count === 1 ? 'tile' : 'tiles'}</li>`)}
  </ul>`
}
