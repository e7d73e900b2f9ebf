/**
 * A picture as SVG. It is shown by `<img>` or put into a page: so it brings its own colours, light and dark, on a ground
 * of its own, and all its names begin with `pic`. No scripts, no fonts, nothing to load.
 */
import type { PlacedArrow } from './arrows.ts'
import { FOLD, type PlacedBox, type PlacedPiece } from './boxes.ts'
import { layOut, WIDTH } from './layout.ts'
import { LETTERING } from './lettering.ts'
import type { Picture } from './picture.ts'
import type { PlacedMark, PlacedText } from './placed.ts'

/** How much larger than on a phone a picture is where there is room, so that its letters are as large as the text around it. */
const SCALE = 1.25

const SANS = 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif'
const CODE = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace'

const ICONS: Record<Exclude<PlacedBox['is'], 'wire'>, string> = {
  program: 'M3 2h10q2 0 2 2v8q0 2-2 2H3q-2 0-2-2V4q0-2 2-2zM4 6l2.5 2L4 10M8 10.5h4',
  file: 'M3.5 1.5h6l3 3v10h-9zM9.5 1.5v3h3',
  screen: 'M1 2.5h14v9H1zM5 14.5h6M8 11.5v3',
  person: 'M8 1.5a3 3 0 1 0 .01 0zM2 14.5c0-4 2.5-6 6-6s6 2 6 6',
  core: 'M8 1.5l6 3v7l-6 3-6-3v-7zM2 4.5l6 3 6-3M8 7.5v7',
  machine: 'M4 4h8v8H4zM6 1.5V4M10 1.5V4M6 12v2.5M10 12v2.5M1.5 6H4M1.5 10H4M12 6h2.5M12 10h2.5',
}

interface Colours {
  ground: string
  edge: string
  box: string
  line: string
  text: string
  quiet: string
  accent: string
  accentBox: string
  onAccent: string
}

/** Text on its ground has a contrast of 4.5 to 1 or more in both. The accent is the site's raspberry. */
const LIGHT: Colours = {
  ground: '#fff',
  edge: '#d1d9e0',
  box: '#f6f8fa',
  line: '#6e7781',
  text: '#1f2328',
  quiet: '#59636e',
  accent: '#a3123f',
  accentBox: '#fdf2f5',
  onAccent: '#fff',
}
const DARK: Colours = {
  ground: '#15181e',
  edge: '#3d444d',
  box: '#212830',
  line: '#9198a1',
  text: '#f0f6fc',
  quiet: '#a9b2bc',
  accent: '#ff9bb5',
  accentBox: '#33202a',
  onAccent: '#2b0512',
}

/**
 * Draws a picture.
 *
 * @param id a name that no other picture on the same page has
 * @param file how a problem calls the picture
 * @throws ReaderError when there is no room for something, or no straight way between two boxes
 */
export function drawPicture(picture: Picture, id: string, file: string): string {
  const { height, boxes, arrows } = layOut(picture, file)
  const names = `pic-${id}-title pic-${id}-desc`
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" class="pic" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH * SCALE}" height="${height * SCALE}" role="img" aria-labelledby="${names}">`,
    `<title id="pic-${id}-title">${escaped(picture.title)}</title>`,
    `<desc id="pic-${id}-desc">${escaped(picture.alt)}</desc>`,
    `<style>${style()}</style>`,
    `<rect class="pic-ground" x=".5" y=".5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>`,
    ...arrows.map(drawArrow),
    ...boxes.map(drawBox),
    '</svg>',
  ].join('\n')}\n`
}

function style(): string {
  return [
    `.pic{font-family:${SANS}}`,
    `.pic-code{font-family:${CODE};white-space:pre}`,
    ...Object.entries(LETTERING).map(
      ([name, { size, isBold }]) => `.pic-${name}{font-size:${size}px${isBold ? ';font-weight:700' : ''}}`,
    ),
    '.pic-line,.pic-icon{fill:none;stroke-linejoin:round;stroke-linecap:round}',
    '.pic-line,.pic-icon,.pic-box,.pic-end{stroke-width:1.3}',
    '.pic-new .pic-line,.pic-new .pic-box,.pic-new .pic-end{stroke-width:2.6}',
    '.pic-lost{stroke-dasharray:5 5}',
    colours(LIGHT),
    `@media (prefers-color-scheme:dark){${colours(DARK)}}`,
  ].join('')
}

function colours(of: Colours): string {
  return [
    `.pic{fill:${of.text}}`,
    `.pic-ground{fill:${of.ground};stroke:${of.edge}}`,
    `.pic-quiet{fill:${of.quiet}}`,
    `.pic-box{fill:${of.box}}`,
    `.pic-box,.pic-line,.pic-icon,.pic-end{stroke:${of.line}}`,
    `.pic-head,.pic-end{fill:${of.line}}`,
    `.pic-new .pic-box{fill:${of.accentBox}}`,
    `.pic-new .pic-line,.pic-new .pic-icon,.pic-new .pic-box,.pic-new .pic-end{stroke:${of.accent}}`,
    `.pic-tag,.pic-new .pic-head,.pic-new .pic-end{fill:${of.accent}}`,
    `.pic-mark,.pic-inverse{fill:${of.onAccent}}`,
  ].join('')
}

function drawBox(box: PlacedBox): string {
  const { x, y, width, height, is, isNew, icon, pieces } = box
  const shapes =
    is === 'wire'
      ? pieces.map(drawPiece)
      : [
          is === 'file'
            ? `<path class="pic-box" d="M${n(x)} ${n(y)}h${n(width - FOLD)}l${FOLD} ${FOLD}v${n(height - FOLD)}h${n(-width)}zm${n(width - FOLD)} 0v${FOLD}h${FOLD}"/>`
            : `<rect class="pic-box" x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}" rx="${is === 'screen' ? 2 : 7}"/>`,
          `<path class="pic-icon" transform="translate(${n(icon.x)} ${n(icon.y)})" d="${ICONS[is]}"/>`,
        ]
  return group(isNew, [...shapes, ...box.texts.map(drawText), ...box.marks.map(drawMark)])
}

function drawPiece({ text, isSeparator, x, y, width, height }: PlacedPiece): string {
  const [box, letters] = isSeparator ? ['pic-end', ' pic-inverse'] : ['pic-box', '']
  return `<rect class="${box}" x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}"/>
<text class="pic-code${letters}" x="${n(x + width / 2)}" y="${n(y + 17)}"${anchored('middle')}>${escaped(text)}</text>`
}

const HEAD = 8

function drawArrow({ from, to, isLost, isNew, texts, marks }: PlacedArrow): string {
  const [x, y] = [Math.sign(to[0] - from[0]), Math.sign(to[1] - from[1])]
  const length = Math.abs(to[0] - from[0]) + Math.abs(to[1] - from[1])
  const along = (distance: number, aside = 0) =>
    `${n(from[0] + x * distance + y * aside)} ${n(from[1] + y * distance + x * aside)}`
  const end = length - (isLost ? Math.max(14, Math.min(26, length / 3)) : HEAD)
  const cross = `<path class="pic-line" d="M${along(end + 1, -5)}L${along(end + 11, 5)}M${along(end + 1, 5)}L${along(end + 11, -5)}"/>`
  const head = `<path class="pic-head" d="M${along(length - 1)}L${along(length - HEAD - 2, 5)}L${along(length - HEAD - 2, -5)}z"/>`
  return group(isNew, [
    `<path class="pic-line${isLost ? ' pic-lost' : ''}" d="M${along(0)}L${along(end)}"/>`,
    isLost ? cross : head,
    ...texts.map(drawText),
    ...marks.map(drawMark),
  ])
}

function group(isNew: boolean, parts: string[]): string {
  return [`<g${isNew ? ' class="pic-new"' : ''}>`, ...parts, '</g>'].join('\n')
}

function drawText({ text, lettering, isQuiet, x, y, anchor }: PlacedText): string {
  return `<text class="pic-${lettering}${isQuiet ? ' pic-quiet' : ''}" x="${n(x)}" y="${n(y)}"${anchored(anchor)}>${escaped(text)}</text>`
}

function drawMark({ text, x, y, width, height }: PlacedMark): string {
  return `<rect class="pic-tag" x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}" rx="4"/>
<text class="pic-mark" x="${n(x + width / 2)}" y="${n(y + 12)}"${anchored('middle')}>${escaped(text)}</text>`
}

function anchored(anchor: PlacedText['anchor']): string {
  return anchor === 'start' ? '' : ` text-anchor="${anchor}"`
}

/** A number with one decimal at most, so that a picture is the same on every machine, and short. */
function n(number: number): string {
  return String(Math.round(number * 10) / 10)
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
}
