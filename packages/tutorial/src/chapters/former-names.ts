/**
 * What was called otherwise in an older chapter. A chapter's package.json says of each program what it was called in
 * the chapter before, and whatever looks at two chapters, however far apart, asks here which program of the one is
 * which of the other. Nothing here knows of Node, so that the site's page asks the same.
 */

/** What is to be known of a chapter: its programs, and what each was called in the chapter before if that was another name. */
export interface NamedPrograms {
  /** `3` */
  number: number
  programs: readonly { name: string; formerly?: string }[]
}

/**
 * What each program of a chapter was called in an older one, by what it is called now. Those that had the same name,
 * or were not there, are left out.
 *
 * @param chapters those in between; others do no harm
 */
export function formerNames(
  older: NamedPrograms,
  newer: NamedPrograms,
  chapters: readonly NamedPrograms[],
): Map<string, string> {
  const between = chapters.filter(({ number }) => older.number < number && number < newer.number)
  const steps = [...between, newer].sort((a, b) => b.number - a.number)
  const names = newer.programs.flatMap(({ name }): [now: string, then: string][] => {
    let then = name
    for (const { programs } of steps) {
      const program = programs.find((one) => one.name === then)
      if (!program) return [] // it came later
      then = program.formerly ?? then
    }
    return then !== name && older.programs.some((one) => one.name === then) ? [[name, then]] : []
  })
  return new Map(names)
}

/**
 * Which file of one chapter a file of another is, where it has another name, by its path in the other chapter. Either
 * of the two may be the older.
 *
 * @param chapters those in between; others do no harm
 */
export function renamedFiles(
  before: NamedPrograms,
  after: NamedPrograms,
  chapters: readonly NamedPrograms[],
): Map<string, string> {
  const isBackwards = before.number > after.number
  const names = isBackwards ? formerNames(after, before, chapters) : formerNames(before, after, chapters)
  const source = (name: string) => `src/${name}.ts`
  return new Map(
    [...names].map(([now, then]) =>
      isBackwards ? [source(then), source(now)] : [source(now), source(then)],
    ),
  )
}
