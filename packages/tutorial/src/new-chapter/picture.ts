/** The picture of a chapter that is still to be written: the one before, with nothing new in it yet. */
import { isMap, isSeq, parseDocument } from 'yaml'
import { toWrite } from '../texts/unwritten.ts'

/** A list in one line with spaces inside its brackets, as yaml writes it and the formatter does not. */
const PADDED_LIST = /\[ ((?:[^[\]'"]|'[^']*'|"[^"]*")*) \]/g

/**
 * The text of its `picture.yaml`.
 *
 * @param before the picture of the chapter whose programs it starts from
 */
export function pictureFrom(before: string): string {
  const document = parseDocument(before)
  document.set('title', toWrite('what the picture shows, in a few words'))
  document.set('alt', toWrite('what somebody who sees it takes from it, in a sentence or two'))
  const rows = document.get('rows')
  const boxes = isSeq(rows)
    ? rows.items.flatMap((row) => (isMap(row) ? row.items.map(({ value }) => value) : []))
    : []
  const arrows = document.get('arrows')
  for (const item of [...boxes, ...(isSeq(arrows) ? arrows.items : [])]) {
    if (isMap(item)) item.delete('new')
  }
  return document.toString({ lineWidth: 0 }).replace(PADDED_LIST, '[$1]')
}
