/**
 * What a source file is made of: its symbols, each with its lines and its doc comment, and the
 * statement that begins at a given text. READMEs point at code by these.
 */
import { parseSync } from 'oxc-parser'

/** Lines of a file, counted from 1, both ends included. */
export interface LineRange {
  first: number
  last: number
}

/** Something in a source file that has a name. */
export interface SourceSymbol extends LineRange {
  /** `listen`, or `Connection.write` for a member of a class or an interface. */
  name: string
  /** True when it is for others: exported, or a member of what is, and not marked `@internal`. */
  isPublic: boolean
  /** True when it is for the other files of its own package: exported and marked `@internal`, or a member of what is. */
  isInternal: boolean
  /** Its doc comment as plain text, without the tags; empty when it has none. */
  doc: string
  /** The tags of its doc comment, in their order: what it returns, and what it throws and when. */
  tags: DocTag[]
  /** Its code without the body of a function or a class. */
  signature: string
}

/** A tag of a doc comment, such as `@throws FrameError when it is too large`. */
export interface DocTag {
  /** `throws` */
  name: string
  text: string
}

/** A node of the syntax tree, as far as this file looks at it. */
interface Node {
  type: string
  start: number
  end: number
  [key: string]: unknown
}

/** What may stand alone, and be shown alone: a README may point at any of these. */
const STANDS_ALONE =
  /Statement$|Declaration$|^MethodDefinition$|^PropertyDefinition$|^TSPropertySignature$|^TSMethodSignature$|^Property$/

/** One of the ways in which a function can be called, without its body. */
const OVERLOAD = 'TSDeclareFunction'

/**
 * All symbols of a file, in their order: declarations at the top level, and the members of classes and interfaces. A
 * function that can be called in several ways is one symbol, with a line of its signature for each.
 */
export function symbolsOf(text: string): SourceSymbol[] {
  const { program, comments } = parseSync('source.ts', text)
  const lines = new LineIndex(text)
  const symbols: SourceSymbol[] = []
  const overloads = new Map<string, SourceSymbol>()
  const textOf = (node: Node) => text.slice(node.start, bodyOf(node)?.start ?? node.end).trim()

  const add = (
    name: string,
    node: Node,
    outer: Node,
    isExported: boolean,
    whole?: SourceSymbol,
  ): SourceSymbol => {
    const comment = comments.find(
      ({ end }) => /^\s*$/.test(text.slice(end, outer.start)) && end <= outer.start,
    )
    const hasDoc = comment?.type === 'Block' && comment.value.startsWith('*')
    const isForOwnPackage = whole?.isInternal || (hasDoc && isInternal(comment.value))
    const symbol = {
      name,
      isPublic: isExported && !isForOwnPackage,
      isInternal: isExported && isForOwnPackage,
      doc: hasDoc ? plainDoc(comment.value) : '',
      tags: hasDoc ? docTags(comment.value) : [],
      signature: textOf(node),
      first: lines.lineOf(comment && hasDoc ? comment.start : outer.start),
      last: lines.lineOf(node.end),
    }
    symbols.push(symbol)
    return symbol
  }

  for (const statement of program.body as unknown as Node[]) {
    const isExported =
      statement.type === 'ExportNamedDeclaration' || statement.type === 'ExportDefaultDeclaration'
    const declaration = (isExported ? statement['declaration'] : statement) as Node | null
    if (!declaration) continue
    for (const [name, node] of namesDeclaredBy(declaration)) {
      const overload = overloads.get(name)
      if (overload) {
        if (declaration.type === OVERLOAD) overload.signature += `\n${textOf(statement)}`
        overload.last = lines.lineOf(statement.end)
        continue
      }
      const whole = add(name, node === declaration ? statement : node, statement, isExported)
      if (declaration.type === OVERLOAD) overloads.set(name, whole)
      for (const member of membersOf(declaration)) {
        const memberName = nameOf(member['key'] as Node | undefined)
        if (memberName)
          add(`${name}.${memberName}`, member, member, isExported && isPublicMember(member), whole)
      }
    }
  }
  return symbols
}

/** The smallest symbol that holds a line. */
export function smallestSymbolAt(symbols: readonly SourceSymbol[], line: number): SourceSymbol | undefined {
  return symbols
    .filter(({ first, last }) => first <= line && line <= last)
    .sort((a, b) => a.last - a.first - (b.last - b.first))[0]
}

/** The first line that contains a text, from 1, looking from a given line on; undefined when none does. */
export function lineWith(text: string, wanted: string, from = 1): number | undefined {
  const index = text.split('\n').findIndex((line, index) => index + 1 >= from && line.includes(wanted))
  return index < 0 ? undefined : index + 1
}

/** The smallest statement, declaration or member that begins on a line, with the comment directly above it. */
export function statementAt(text: string, line: number): LineRange | undefined {
  const { program, comments } = parseSync('source.ts', text)
  const lines = new LineIndex(text)
  let found: Node | undefined
  const visit = (value: unknown) => {
    if (Array.isArray(value)) return value.forEach(visit)
    if (typeof value !== 'object' || value === null || !('type' in value)) return
    const node = value as Node
    // The outermost that begins there: "export function" rather than the "function" in it.
    if (STANDS_ALONE.test(node.type) && lines.lineOf(node.start) === line) {
      found ??= node
      return
    }
    Object.values(node).forEach(visit)
  }
  visit(program.body)
  if (!found) return undefined
  const { start, end } = found
  const comment = comments.find(
    (other) =>
      other.end <= start &&
      /^\s*$/.test(text.slice(other.end, start)) &&
      !/\n\s*\n/.test(text.slice(other.end, start)),
  )
  return { first: lines.lineOf(comment?.start ?? start), last: lines.lineOf(end) }
}

/** A statement at the top level of a file, with the comment above it; all import lines count as one. */
export interface TopLevelRange extends LineRange {
  isImports: boolean
}

/** The statements at the top level of a file, which together hold all of its code. */
export function topLevelRanges(text: string): TopLevelRange[] {
  const { program, comments } = parseSync('source.ts', text)
  const lines = new LineIndex(text)
  const ranges: TopLevelRange[] = []
  for (const { type, start, end } of program.body) {
    const last = ranges.at(-1)
    const isImports = type === 'ImportDeclaration'
    if (isImports && last?.isImports) {
      last.last = lines.lineOf(end)
      continue
    }
    const comment = comments.find((other) => other.end <= start && /^\s*$/.test(text.slice(other.end, start)))
    ranges.push({ first: lines.lineOf(comment?.start ?? start), last: lines.lineOf(end), isImports })
  }
  return ranges
}

/** The names that a file imports, by the module that they come from. */
export function importedNames(text: string): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>()
  for (const { moduleRequest, entries } of parseSync('source.ts', text).module.staticImports) {
    const imported = entries.map(({ importName }) => importName.name).filter((name) => name !== null)
    names.set(moduleRequest.value, new Set([...(names.get(moduleRequest.value) ?? []), ...imported]))
  }
  return names
}

/** The names that a file exports from others, each with the module that it comes from. */
export function reExportedNames(text: string): Map<string, string> {
  const entries = parseSync('source.ts', text).module.staticExports.flatMap(({ entries }) => entries)
  return new Map(
    entries.flatMap(({ exportName, moduleRequest }): [string, string][] =>
      exportName.name !== null && moduleRequest ? [[exportName.name, moduleRequest.value]] : [],
    ),
  )
}

/** Finds the line of a position. */
class LineIndex {
  readonly #starts: number[]

  constructor(text: string) {
    this.#starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)]
  }

  lineOf(position: number): number {
    const next = this.#starts.findIndex((start) => start > position)
    return next < 0 ? this.#starts.length : next
  }
}

function namesDeclaredBy(declaration: Node): [string, Node][] {
  if (declaration.type === 'VariableDeclaration') {
    return (declaration['declarations'] as Node[]).flatMap((declarator) =>
      namesInPattern(declarator['id'] as Node).map((name): [string, Node] => [name, declaration]),
    )
  }
  const name = nameOf(declaration['id'] as Node | undefined)
  return name ? [[name, declaration]] : []
}

/** The names in `a`, `{ a, b: c }` or `[a, b]`. */
function namesInPattern(pattern: Node): string[] {
  switch (pattern.type) {
    case 'ObjectPattern':
      return (pattern['properties'] as Node[]).flatMap((property) =>
        namesInPattern((property['value'] ?? property['argument']) as Node),
      )
    case 'ArrayPattern':
      return (pattern['elements'] as (Node | null)[]).flatMap((element) =>
        element ? namesInPattern(element) : [],
      )
    case 'AssignmentPattern':
      return namesInPattern(pattern['left'] as Node)
    default:
      return [nameOf(pattern)].filter((name) => name !== undefined)
  }
}

function membersOf(declaration: Node): Node[] {
  if (declaration.type !== 'ClassDeclaration' && declaration.type !== 'TSInterfaceDeclaration') return []
  return (declaration['body'] as Node)['body'] as Node[]
}

function nameOf(node: Node | undefined | null): string | undefined {
  if (!node) return undefined
  if (node.type === 'PrivateIdentifier') return `#${node['name']}`
  return typeof node['name'] === 'string' ? node['name'] : undefined
}

function isPublicMember(member: Node): boolean {
  const key = member['key'] as Node | undefined
  return (
    key?.type !== 'PrivateIdentifier' &&
    member['accessibility'] !== 'private' &&
    nameOf(key) !== 'constructor'
  )
}

/** What a signature leaves out: the body of a function, a method or a class. */
function bodyOf(node: Node): Node | undefined {
  const inner = (node['declaration'] ?? node['value'] ?? node) as Node
  const isCode = /Function|^ClassDeclaration$/.test(inner.type)
  return isCode ? ((inner['body'] as Node | null) ?? undefined) : undefined
}

/** The text of a comment, without the stars in front of its lines. */
function withoutStars(comment: string): string {
  return comment
    .replace(/^\*/, '')
    .replace(/^ *\* ?/gm, '')
    .trim()
}

/** What a file says of itself in the doc comment that it opens with, without the tags. */
export function openingComment(text: string): string {
  return plainDoc(/^\/\*(\*[\s\S]*?)\*\//.exec(text)?.[1] ?? '')
}

/** What a doc comment says before its first tag. */
function plainDoc(comment: string): string {
  return (withoutStars(comment).split(/^@/m)[0] ?? '').trim()
}

/** Whether something is exported for the other files of its own package only. */
function isInternal(comment: string): boolean {
  return /^@internal$/m.test(withoutStars(comment))
}

function docTags(comment: string): DocTag[] {
  return [...withoutStars(comment).matchAll(/^@(\w+) ([\s\S]*?)(?=^@|(?![\s\S]))/gm)].map(
    ([, name = '', text = '']) => ({ name, text: text.trim() }),
  )
}
