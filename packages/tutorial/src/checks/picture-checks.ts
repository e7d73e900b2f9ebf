/**
 * What pictures promise: each `picture.svg` is what its `picture.yaml` says, and a text that shows an image says in
 * words what a reader takes from it; for a picture they are its `alt`.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Image } from 'mdast'
import { visitParents } from 'unist-util-visit-parents'
import { readPicture } from '../pictures/picture.ts'
import { drawPicture } from '../pictures/svg.ts'
import { type Readme, readReadme } from '../texts/readme.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { ROOT, repositoryFiles } from '../workspace/repository.ts'

/** How many bytes a picture may have: it is loaded with its text, on a phone too. */
const MOST_BYTES = 8192

/** Every picture, drawn or not, by its `picture.yaml`, counted from the repository. */
export function allPictures(): string[] {
  const files = repositoryFiles(ROOT).filter((file) => /(^|\/)picture\.(yaml|svg)$/.test(file))
  const there = files.filter((file) => existsSync(join(ROOT, file)))
  return [...new Set(there.map((file) => file.replace(/svg$/, 'yaml')))]
}

/** Everything that is wrong with a picture, a line each, beginning with its file. */
export function pictureProblems(file: string): string[] {
  const svg = svgOf(file)
  try {
    const wanted = drawn(file)
    if (wanted === undefined)
      return [`${svg}: there is no ${basename(file)} beside it, from which it is drawn`]
    const bytes = Buffer.byteLength(wanted)
    return [
      ...(wanted === textOf(svg) ? [] : [`${svg}: it is not what ${file} says (pnpm sync draws it)`]),
      ...(bytes > MOST_BYTES ? [`${svg}: it has ${bytes} bytes, and may have ${MOST_BYTES}`] : []),
    ]
  } catch (error) {
    if (error instanceof ReaderError) return error.message.split('\n')
    throw error
  }
}

/**
 * Draws a picture anew. Returns the SVG's file if that changed anything.
 *
 * @throws ReaderError when it cannot be drawn: a line for each problem
 */
export function syncPicture(file: string): string[] {
  const svg = svgOf(file)
  const wanted = drawn(file)
  if (wanted === undefined || wanted === textOf(svg)) return []
  writeFileSync(join(ROOT, svg), wanted)
  return [svg]
}

/** What is wrong with the images that a text shows. */
export function imageProblems(readme: Readme): string[] {
  const { file } = readme
  return imagesOf(readme).flatMap((image) => {
    const where = `${file}:${image.position?.start.line}: the image ${image.url}`
    if (isOurs(image) && !existsSync(join(ROOT, targetOf(image, file)))) return [`${where} leads nowhere`]
    const alt = altOfPicture(image, file)
    if (alt !== undefined && image.alt !== alt)
      return [`${where} says something else than the alt of its picture.yaml (pnpm sync mends it)`]
    return image.alt?.trim() ? [] : [`${where} has no words for who does not see it: ![words](${image.url})`]
  })
}

/** Writes into a text what its pictures say for who does not see them. Returns whether anything changed. */
export function syncImages(file: string): boolean {
  const readme = readReadme(file)
  let { text } = readme
  for (const image of imagesOf(readme).toReversed()) {
    const alt = altOfPicture(image, file)
    if (alt === undefined || alt === image.alt) continue
    const { start, end } = image.position ?? { start: {}, end: {} }
    text = `${text.slice(0, start.offset)}![${escaped(alt)}](${image.url})${text.slice(end.offset)}`
  }
  if (text === readme.text) return false
  writeFileSync(join(ROOT, file), text)
  return true
}

/** What a picture is to look like; nothing when there is no such picture. */
function drawn(file: string): string | undefined {
  const picture = readPicture(file)
  return picture && drawPicture(picture, basename(dirname(file)), file)
}

function svgOf(file: string): string {
  return file.replace(/yaml$/, 'svg')
}

function textOf(file: string): string | undefined {
  return existsSync(join(ROOT, file)) ? readFileSync(join(ROOT, file), 'utf8') : undefined
}

function imagesOf({ tree }: Readme): Image[] {
  const images: Image[] = []
  visitParents(tree, 'image', (image) => {
    images.push(image)
  })
  return images
}

/** True for an image of this repository. */
function isOurs({ url }: Image): boolean {
  return !/^[a-z]+:/i.test(url)
}

/** Which file an image shows, counted from the repository. */
function targetOf({ url }: Image, readme: string): string {
  return join(dirname(readme), decodeURIComponent(url))
}

/** The words that belong to an image, when it is a picture whose `picture.yaml` can be read. */
function altOfPicture(image: Image, readme: string): string | undefined {
  const target = targetOf(image, readme)
  if (!isOurs(image) || basename(target) !== 'picture.svg') return undefined
  try {
    return readPicture(target.replace(/svg$/, 'yaml'))?.alt
  } catch (error) {
    if (error instanceof ReaderError) return undefined // what is wrong with it is said of the picture
    throw error
  }
}

/** A text with what Markdown would take for its own put behind a backslash. */
function escaped(text: string): string {
  return text.replace(/[\\`*[\]<&]|(?<![a-z0-9])_|_(?![a-z0-9])/gi, '\\$&')
}
