/**
 * The cards that social networks show with a link: a picture of 1200 by 630 pixels with a page's title and what it is
 * about, and for a chapter the picture of its README. resvg draws them, which is no browser, and needs fonts of its
 * own: those that the pictures' lettering is counted in.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { initWasm, Resvg } from '@resvg/resvg-wasm'
import { allChapters, type Chapter } from '@rpi-cluster/tutorial/chapters/chapters'
import { twoDigits } from '@rpi-cluster/tutorial/chapters/parts'
import { brokenInto, LETTERING } from '@rpi-cluster/tutorial/pictures/lettering'
import { textOfFile } from '@rpi-cluster/tutorial/workspace/files'
import { chapterOf } from './pages.ts'

/** The size that the networks ask for, in pixels. */
export const CARD = { width: 1200, height: 630 }

/** The side of the icon on a telephone's screen, in pixels. */
const TOUCH_ICON_SIZE = 180

/** Below the site's base. */
const FOLDER = 'cards'

const SANS = 'DejaVu Sans'
const MONO = 'DejaVu Sans Mono'
const INK = '#1f2328'
const QUIET = '#59636e'
const RASPBERRY = '#a3123f'

const { resolve } = createRequire(import.meta.url)

/** The site's icon, a raspberry of circles. */
const ICON = readFileSync(join(import.meta.dirname, '../.vitepress/icon.svg'), 'utf8')

/** Where a card is, and what a reader hears who does not see it. */
interface Card {
  /** Below the site's base: `cards/03-sockets.png`. */
  file: string
  alt: string
}

/** The card of a text's page: a chapter has one of its own, all others share that of the site. */
export function cardOf(text: string): Card {
  const chapter = chapterOf(text)
  return chapter
    ? {
        file: `${FOLDER}/${chapter}.png`,
        alt: `The title of ${chapter}, what it teaches, and the picture of its cluster`,
      }
    : { file: `${FOLDER}/site.png`, alt: 'A raspberry, and the words Raspberry Pi cluster' }
}

/**
 * Draws all cards into a built site.
 *
 * @param folder the built site: its absolute path
 * @param site what it says of itself
 */
export async function writeCards(
  folder: string,
  site: { title: string; description: string },
): Promise<void> {
  mkdirSync(join(folder, FOLDER), { recursive: true })
  const draw = await drawing()
  for (const chapter of allChapters())
    writeFileSync(join(folder, cardOf(`chapters/${chapter.name}/README.md`).file), draw(chapterCard(chapter)))
  writeFileSync(join(folder, cardOf('').file), draw(siteCard(site.title, site.description)))
}

/** Writes the icon into a built site, for browsers and for telephones. */
export async function writeIcons(folder: string): Promise<void> {
  writeFileSync(join(folder, 'icon.svg'), ICON)
  const draw = await drawing()
  // What is seen through would be black there.
  const icon = `<svg xmlns="http://www.w3.org/2000/svg" width="${TOUCH_ICON_SIZE}" height="${TOUCH_ICON_SIZE}">
    <rect width="100%" height="100%" fill="#fff"/>${iconAt(20, 20, TOUCH_ICON_SIZE - 40)}</svg>`
  writeFileSync(join(folder, 'apple-touch-icon.png'), draw(icon))
}

let ready: Promise<void> | undefined

/** What makes a PNG of an SVG. */
async function drawing(): Promise<(svg: string) => Uint8Array> {
  ready ??= initWasm(readFileSync(resolve('@resvg/resvg-wasm/index_bg.wasm')))
  await ready
  const fontBuffers = ['DejaVuSans', 'DejaVuSans-Bold', 'DejaVuSansMono', 'DejaVuSansMono-Bold'].map((name) =>
    readFileSync(resolve(`dejavu-fonts-ttf/ttf/${name}.ttf`)),
  )
  const font = {
    fontBuffers,
    defaultFontFamily: SANS,
    sansSerifFamily: SANS,
    monospaceFamily: MONO,
  }
  return (svg) => new Resvg(svg, { font }).render().asPng()
}

function chapterCard({ number, title, teaches, part, folder }: Chapter): string {
  const picture = textOfFile(join(folder, 'picture.svg'))
  const words = new Words(60, 190, picture ? 600 : 1080)
  words.add(`Part ${part.number}, chapter ${twoDigits(number)}`, 27, QUIET)
  words.add(title, 58, INK, true)
  words.add(`${teaches}.`, 29, INK)
  return card(`${iconAt(56, 56, 64)}
    <text x="136" y="101" font-size="32" font-weight="700" fill="${RASPBERRY}">Raspberry Pi cluster</text>
    ${words.svg}
    ${picture ? inBox(picture, 700, 50, 450, 530) : ''}`)
}

function siteCard(title: string, description: string): string {
  const words = new Words(80, 135, 660)
  words.add(title, 72, RASPBERRY, true)
  words.add(description, 36, INK)
  return card(`${iconAt(800, 150, 330)}${words.svg}`)
}

function card(content: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${CARD.width}" height="${CARD.height}" font-family="sans-serif">
    <rect width="100%" height="100%" fill="#fff"/>
    <rect y="${CARD.height - 14}" width="100%" height="14" fill="${RASPBERRY}"/>
    ${content}</svg>`
}

/** Paragraphs, one below the other. */
class Words {
  svg = ''
  #y: number
  readonly #x: number
  readonly #width: number

  constructor(x: number, y: number, width: number) {
    this.#x = x
    this.#y = y
    this.#width = width
  }

  add(text: string, size: number, fill: string, isBold = false) {
    const kind = isBold ? 'name' : 'text'
    const scale = size / LETTERING[kind].size
    for (const line of brokenInto(this.#width / scale, text, kind)) {
      this.#y += size * 1.2
      this.svg += `<text x="${this.#x}" y="${this.#y}" font-size="${size}" fill="${fill}" font-weight="${isBold ? 700 : 400}">${escapeXml(line)}</text>`
    }
    this.#y += size * 0.5
  }
}

function iconAt(x: number, y: number, size: number): string {
  return ICON.replace('<svg ', `<svg x="${x}" y="${y}" width="${size}" height="${size}" `)
}

/** A chapter's picture in the middle of a box, as large as it can be there. */
function inBox(picture: string, x: number, y: number, width: number, height: number): string {
  return (
    picture
      .replace(
        /^<svg ([^>]*?) width="[^"]*" height="[^"]*"/,
        `<svg $1 x="${x}" y="${y}" width="${width}" height="${height}"`,
      )
      .replace(/font-family:[^;}]*monospace/g, `font-family:${MONO}`)
      // resvg knows no `white-space: pre`.
      .replaceAll('<text class="pic-code', '<text xml:space="preserve" class="pic-code')
  )
}

function escapeXml(text: string): string {
  return text.replace(/[&<>]/g, (char) => `&#${char.charCodeAt(0)};`)
}
