/**
 * What the site takes, today and with all chapters of the series: `pnpm site:growth`, or with another number of them. From
 * four less than all on it goes past the series' end, since to see what one more takes there have to be some more. Ends with
 * exit code 1 where something is larger than it may be. Times are told, and judged by nobody: they are this machine's.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { allChapters } from '@rpi-cluster/tutorial/chapters/chapters'
import { PARTS } from '@rpi-cluster/tutorial/chapters/parts'
import { execa } from 'execa'
import { addChapters, copyRepository } from './support/made-up-chapters.ts'

/** The most that the search index may take with all chapters, compressed, in bytes. */
const MOST_OF_INDEX = 500_000

/** How much more one of the last chapters may add than one of those before: with 13 and 28, a pure square would be 1.45. */
const MOST_TIMES_A_CHAPTER = 1.2

/** How much the first page may grow, where its chapters are listed. */
const MOST_TIMES_FIRST_PAGE = 2

interface Taken {
  chapters: number
  /** Of the build, in seconds: by the clock, and of the processor. */
  seconds: number
  cpuSeconds: number
  /** Of all files, in bytes. */
  site: number
  /** Of the search index, in bytes, compressed. */
  index: number
  /** Of the first page, and of all that it loads at once, in bytes, compressed. */
  firstPage: number
  firstLoad: number
}

const count = allChapters().length
const wanted = Number(process.argv[2] ?? PARTS.at(-1)?.last)
const last = Math.max(wanted, count + 4)
const folder = mkdtempSync(join(tmpdir(), 'growth-'))
try {
  await copyRepository(folder)
  const few = await take(count)
  const some = await take(Math.round((count + last) / 2), few.chapters)
  const many = await take(last, some.chapters)
  console.table([few, some, many])
  const [before, after] = [perChapter('site', few, some), perChapter('site', some, many)]
  const index = Math.round(few.index + (wanted - count) * perChapter('index', few, many))
  console.log(
    `A chapter more takes ${Math.round(before / 1000)} kB of the site, and later ${Math.round(after / 1000)} kB.`,
  )
  const tooMuch = [
    index > MOST_OF_INDEX &&
      `with ${wanted} chapters the search index takes ${index} bytes, and may take ${MOST_OF_INDEX}`,
    many.firstPage > few.firstPage * MOST_TIMES_FIRST_PAGE && 'the first page grows with the chapters',
    after > before * MOST_TIMES_A_CHAPTER && 'the site grows faster than its chapters',
  ].filter((problem) => problem !== false)
  for (const problem of tooMuch) console.error(`Too much: ${problem}.`)
  if (tooMuch.length > 0) process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** What a chapter adds to the site, or to its index, in bytes, between two numbers of them. */
function perChapter(what: 'site' | 'index', less: Taken, more: Taken): number {
  return (more[what] - less[what]) / (more.chapters - less.chapters)
}

/** Builds the site of the copy with so many chapters, of which it has some. */
async function take(chapters: number, has = chapters): Promise<Taken> {
  addChapters(folder, has + 1, chapters)
  const begin = performance.now()
  const { NODE_ENV: _, ...env } = process.env
  // What bash says last is the time that the processor spent for it.
  const timed = "TIMEFORMAT='%U %S'; time npx -y pnpm@12 run build 2>&1"
  const { stderr } = await execa('bash', ['-c', timed], { cwd: join(folder, 'docs'), env, extendEnv: false })
  const seconds = Math.round((performance.now() - begin) / 1000)
  const cpuSeconds = Math.round(
    (stderr.split('\n').at(-1) ?? '').split(' ').reduce((sum, one) => sum + Number(one), 0),
  )
  const dist = join(folder, 'docs/dist')
  const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((file) =>
    statSync(join(dist, file)).isFile(),
  )
  const compressed = (file: string) => gzipSync(readFileSync(join(dist, file))).length
  const html = readFileSync(join(dist, 'index.html'), 'utf8')
  const loaded = new Set(
    [...html.matchAll(/(?:src|href)="\/([^"]+\.(?:js|css|woff2))"/g)].map(([, file = '']) => file),
  )
  return {
    chapters,
    seconds,
    cpuSeconds,
    site: files.reduce((sum, file) => sum + statSync(join(dist, file)).size, 0),
    index: compressed(files.find((file) => file.includes('@localSearchIndex')) as string),
    firstPage: compressed('index.html'),
    firstLoad: [...loaded, 'index.html'].reduce((sum, file) => sum + compressed(file), 0),
  }
}
