import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  allPictures,
  imageProblems,
  pictureProblems,
  syncImages,
  syncPicture,
} from '../src/checks/picture-checks.ts'
import type { PlacedArrow } from '../src/pictures/arrows.ts'
import type { PlacedBox } from '../src/pictures/boxes.ts'
import { layOut, WIDTH } from '../src/pictures/layout.ts'
import { widthOf } from '../src/pictures/lettering.ts'
import { KINDS, type Picture, pictureOf } from '../src/pictures/picture.ts'
import type { Area, PlacedText } from '../src/pictures/placed.ts'
import { drawPicture } from '../src/pictures/svg.ts'
import { readReadme } from '../src/texts/readme.ts'
import { ReaderError } from '../src/workspace/reader-error.ts'
import { ROOT } from '../src/workspace/repository.ts'

describe('the pictures of the repository', () => {
  test.for(allPictures())('%s is drawn, and small', (file) => {
    expect(pictureProblems(file).join('\n')).toBe('')
  })

  test.for(allPictures())(
    '%s can be read on a phone, in the light and in the dark, and with no eyes',
    (file) => {
      const svg = readFileSync(join(ROOT, file.replace('.yaml', '.svg')), 'utf8')
      const width = Number(/viewBox="0 0 (\d+)/.exec(svg)?.[1])
      const sizes = [...svg.matchAll(/font-size:(\d+)px/g)].map(([, size]) => Number(size))
      expect(Math.min(...sizes) * (360 / width)).toBeGreaterThanOrEqual(11)
      expect(svg).toContain('@media (prefers-color-scheme:dark)')
      expect(svg).toMatch(
        /<svg [^>]*role="img" aria-labelledby="(pic-\S+-title) (pic-\S+-desc)">\n<title id="\1">.+<\/title>\n<desc id="\2">.+<\/desc>/,
      )
      // What it is inside a page touches nothing else there.
      expect(
        [...svg.matchAll(/(?:class|id)="([^"]*)"/g)].flatMap(([, names = '']) => names.split(' ')),
      ).toSatisfy((names: string[]) => names.every((name) => /^pic(-|$)/.test(name)))
      expect(svg).not.toMatch(/<script|href|url\(|@import|@font-face/)
    },
  )
})

describe('what an author is told', () => {
  const head = 'title: a title\nalt: what it shows\n'
  test.for([
    ['title: a title\nrows: [{a: }]', 'x: alt is missing. It takes one or two sentences'],
    [`${head}rows: [{a: , a: }]`, 'x:3: Map keys must be unique'],
    [`${head}rows:\n  - a: {text: 'open}\n`, 'x:5: '],
    [`${head}rows: []`, 'x: rows is []. It takes a list of rows'],
    [`${head}rows: [{}]`, 'x: rows.0 has no box.'],
    [`${head}rows: [a]`, 'x: rows.0 is "a". It takes a list of rows'],
    [`${head}rows: [{a: {is: robot}}]`, 'x: rows.0.a.is is "robot". It takes one of program, file'],
    [
      `${head}rows: [{a: {colour: red}}]`,
      'x: rows.0.a.colour is not known here. Known here: is, new, text, code.',
    ],
    [`${head}rows: [{a: }]\narrow: []`, 'x: arrow is not known here. Known here: title, alt, rows, arrows.'],
    [`${head}rows: [{a: }, {a: }]`, 'x: rows: two boxes are called "a"'],
    [
      `${head}rows: [{a: , b: }]\narrows: [{from: a}]`,
      'x: arrows.0.to is missing. It takes the name of a box.',
    ],
    [`${head}rows: [{a: , b: }]\narrows: [{from: a, to: c}]`, 'x: arrows.0.to is "c". Boxes here: a, b.'],
    [`${head}rows: [{a: }]\narrows: [{from: a, to: a}]`, 'x: arrows.0 goes from "a" to itself.'],
    [
      `${head}rows: [{a: , b: , c: }]\narrows: [{from: a, to: c}]`,
      'x: an arrow goes to a neighbour, and between a and c',
    ],
    [
      `${head}rows: [{a: }, {b: }, {c: }]\narrows: [{from: c, to: a}]`,
      'x: an arrow goes from one row to the next',
    ],
    [
      `${head}rows: [{a: , b: }, {c: , d: }]\narrows: [{from: a, to: d}]`,
      'x: an arrow goes straight up or down, and d',
    ],
    [
      `${head}rows: [{a: {code: ${'x'.repeat(60)}}}]`,
      'x: rows.0 (a) needs a width of 452, and there are 336.',
    ],
    [
      `${head}rows: [{a: , b: }, {c: }]\narrows: [{from: a, to: c, code: ${'x'.repeat(40)}}]`,
      'x: the label of the arrow from a to c needs a width of 289',
    ],
    [`${head}rows: [{a: , b: {is: wire, code: x}}]`, 'x: a wire has a row of its own, and b shares one.'],
    [`${head}rows: [{b: {is: wire}}]`, 'x: a wire shows what goes over it, and b has no code.'],
    [
      `${head}rows: [{a: }, {b: {is: wire, code: x}}]\narrows: [{from: a, to: b}]`,
      'x: an arrow goes between boxes, and b is a wire.',
    ],
    ['', 'x: It is to have a title'],
  ])('%j: %s', ([yaml, problem]) => {
    const draw = () => drawPicture(pictureOf(yaml as string, 'x'), 'x', 'x')
    expect(draw).toThrow(ReaderError)
    expect(draw).toThrow(problem)
  })
})

test('the example that tells authors how it is written can be drawn', () => {
  const { blocks } = readReadme('packages/tutorial/README.md')
  const yaml = blocks.find(({ language }) => language === 'yaml')?.content ?? ''
  expect(drawPicture(pictureOf(yaml, 'x'), 'x', 'x')).toContain('too fast')
})

describe('any picture', () => {
  const words = fc.array(fc.constantFrom('a', 'still', 'alive', '<&>"', '{"msg":1}', 'WWWW'), {
    maxLength: 5,
  })
  const texts = fc.array(
    words.map((some) => some.join(' ')).filter((text) => text !== ''),
    { maxLength: 2 },
  )
  const said = {
    mark: fc.option(fc.constantFrom('new', 'moved'), { nil: undefined }),
    text: texts,
    code: texts,
  }
  const picture = fc
    .array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 })
    .chain((widths): fc.Arbitrary<Picture> => {
      const names = widths.map((count, row) =>
        Array.from({ length: count }, (_, place) => `box ${row} ${place}`),
      )
      const kinds = KINDS.filter((kind) => kind !== 'wire' || widths.every((count) => count === 1))
      const box = (name: string) =>
        fc.record({ name: fc.constant(name), is: fc.constantFrom(...kinds), ...said })
      const ends = names.flatMap((row, index) => [
        ...row.slice(1).map((name, place) => [row[place] as string, name] as const),
        ...row.flatMap((name) => (names[index + 1] ?? []).map((below) => [name, below] as const)),
      ])
      const arrow = () =>
        fc
          .tuple(fc.constantFrom(...ends), fc.boolean(), fc.record({ ...said, lost: fc.boolean() }))
          .map(([[one, other], isBack, rest]) => ({
            from: isBack ? other : one,
            to: isBack ? one : other,
            ...rest,
          }))
      return fc.record({
        title: fc.constant('a title'),
        alt: fc.constant('what it shows'),
        rows: fc.tuple(...names.map((row) => fc.tuple(...row.map(box)))),
        arrows: ends.length > 0 ? fc.array(arrow(), { maxLength: 4 }) : fc.constant([]),
      }) as fc.Arbitrary<Picture>
    })

  test('shows every character of its texts as it is', () => {
    const yaml = "title: <&>\nalt: a < b & c\nrows: [{'<a>': {text: '&amp;', code: '</text>'}}]"
    const svg = drawPicture(pictureOf(yaml, 'x'), 'x', 'x')
    for (const shown of [
      '>&lt;&amp;&gt;<',
      '>a &lt; b &amp; c<',
      '>&lt;a&gt;<',
      '>&amp;amp;<',
      '>&lt;/text&gt;<',
    ])
      expect(svg).toContain(shown)
  })

  test('is refused in words, or has everything inside, and nothing on top of anything else', () => {
    let drawn = 0
    fc.assert(
      fc.property(picture, (picture) => {
        try {
          drawPicture(picture, 'x', 'x')
        } catch (error) {
          expect(error).toBeInstanceOf(ReaderError)
          return
        }
        drawn++
        const { boxes, arrows, height } = layOut(picture, 'x')
        const page = { x: 0, y: 0, width: WIDTH, height }
        const labels = arrows.flatMap(({ texts, marks }) => [...texts.map(areaOf), ...marks])
        const outside = [
          ...[...boxes, ...labels].filter((area) => !isInside(area, page)),
          ...boxes.flatMap((box) => inBox(box).filter((area) => !isInside(area, box))),
        ]
        const together = [[...boxes, ...labels], ...boxes.map(inBox)].flatMap(overlapping)
        const crossed = arrows.flatMap((arrow) => labels.filter((label) => crosses(arrow, label)))
        expect({ outside, together, crossed }).toEqual({ outside: [], together: [], crossed: [] })
      }),
      { numRuns: 300, seed: 1 },
    )
    expect(drawn).toBeGreaterThan(100)
  })
})

describe('a text that shows a picture', () => {
  let folder: string
  let readme: string
  let yaml: string
  beforeAll(() => {
    // Where git looks at nothing.
    mkdirSync(join(ROOT, 'practice'), { recursive: true })
    folder = mkdtempSync(join(ROOT, 'practice/.pictures-'))
    readme = relative(ROOT, join(folder, 'README.md'))
    yaml = relative(ROOT, join(folder, 'picture.yaml'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const write = (file: string, text: string) => writeFileSync(join(ROOT, file), text)
  const problems = () => imageProblems(readReadme(readme))

  test('says what it says, and is mended where it does not', () => {
    write(
      yaml,
      'title: t\nalt: A sensor sends [21] to its_own *display* `x`, <b> &amp; _more_.\nrows: [{sensor: }]\n',
    )
    write(readme, '# T\n\n![](picture.svg) and ![old words](picture.svg)\n')
    expect(pictureProblems(yaml)).toEqual([
      `${yaml.replace('yaml', 'svg')}: it is not what ${yaml} says (pnpm sync draws it)`,
    ])
    expect(problems()).toEqual(Array(2).fill(`${readme}:3: the image picture.svg leads nowhere`))

    expect(syncPicture(yaml)).toEqual([yaml.replace('yaml', 'svg')])
    expect(syncPicture(yaml)).toEqual([])
    expect(pictureProblems(yaml)).toEqual([])
    expect(problems().join('\n')).toMatch(
      /^(.+README\.md:3: the image picture\.svg says something else than .+\n?){2}$/,
    )

    expect(syncImages(readme)).toBe(true)
    expect(problems()).toEqual([])
    expect(syncImages(readme)).toBe(false)
  })

  test('is told of an image without words, and of one that is not there', () => {
    write(readme, '# T\n\n![](https://example.org/a.png)\n![words](gone.svg)\n')
    expect(problems()).toEqual([
      `${readme}:3: the image https://example.org/a.png has no words for who does not see it: ![words](https://example.org/a.png)`,
      `${readme}:4: the image gone.svg leads nowhere`,
    ])
  })

  test('and a picture without its source is told of', () => {
    rmSync(join(ROOT, yaml))
    write(yaml.replace('yaml', 'svg'), '<svg/>')
    expect(pictureProblems(yaml)).toEqual([
      `${yaml.replace('yaml', 'svg')}: there is no picture.yaml beside it, from which it is drawn`,
    ])
  })
})

/** The room that a text takes at most: its letters are no wider than what it was given. */
function areaOf({ text, lettering, x, y, anchor }: PlacedText): Area {
  const width = widthOf(text, lettering)
  const left = anchor === 'start' ? x : anchor === 'middle' ? x - width / 2 : x - width
  return { x: left, y: y - 9, width, height: 11 }
}

function isInside(inner: Area, outer: Area): boolean {
  return (
    inner.x >= outer.x - 0.5 &&
    inner.y >= outer.y - 0.5 &&
    inner.x + inner.width <= outer.x + outer.width + 0.5 &&
    inner.y + inner.height <= outer.y + outer.height + 0.5
  )
}

/** What is in a box. The letters on a piece of a wire belong to the piece. */
function inBox({ texts, marks, pieces }: PlacedBox): Area[] {
  return [...texts.map(areaOf), ...marks, ...pieces]
}

/** The pairs of areas that lie on top of each other. */
function overlapping(areas: Area[]): [Area, Area][] {
  return areas.flatMap((one, index) =>
    areas
      .slice(index + 1)
      .filter(
        (other) =>
          one.x + one.width > other.x + 0.5 &&
          other.x + other.width > one.x + 0.5 &&
          one.y + one.height > other.y + 0.5 &&
          other.y + other.height > one.y + 0.5,
      )
      .map((other): [Area, Area] => [one, other]),
  )
}

/** True when an arrow's line goes through an area. */
function crosses({ from, to }: PlacedArrow, { x, y, width, height }: Area): boolean {
  const [left, right] = [Math.min(from[0], to[0]), Math.max(from[0], to[0])]
  const [top, bottom] = [Math.min(from[1], to[1]), Math.max(from[1], to[1])]
  return left < x + width && right > x && top < y + height && bottom > y
}
