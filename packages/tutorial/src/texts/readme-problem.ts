/** What is wrong with a README: shown to whoever writes it. */
export class ReadmeProblem extends Error {
  override readonly name = 'ReadmeProblem'
}
