/**
 * A program changed in one place: each of its statements left out, each message that it sends sent twice, and
 * each sent with something else in it. A chapter's tests should notice every one.
 */
import { parseSync } from 'oxc-parser'

/** A program with one change. */
export interface Mutant {
  /** The line that was changed, from 1. */
  line: number
  /** `left out`, `sent twice`, `sent altered` */
  change: string
  /** What stood there, on one line. */
  code: string
  /** The whole program, changed. */
  text: string
}

/** A node of the syntax tree, as far as this file looks at it. */
interface Node {
  type: string
  start: number
  end: number
  [key: string]: unknown
}

/** What sends a message, by the name of what is called: `send(peer, ...)`, `peer.write(...)`. */
const SENDS = new Set(['send', 'write', 'ask'])

/** All changes of a program, one at a time, in the order of its lines. */
export function mutantsOf(text: string): Mutant[] {
  const mutants: Mutant[] = []
  const add = (node: Node, change: string, instead: string) => {
    mutants.push({
      line: text.slice(0, node.start).split('\n').length,
      change,
      code: text.slice(node.start, node.end).replace(/\s+/g, ' '),
      text: text.slice(0, node.start) + instead + text.slice(node.end),
    })
  }
  const visit = (value: unknown, of?: Node) => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item, of)
      return
    }
    if (typeof value !== 'object' || value === null || !('type' in value)) return
    const node = value as Node
    if (canBeLeftOut(node) && of?.['left'] !== node) add(node, 'left out', '')
    if (isTableEntry(node)) add(node, 'left out', instead(text, node))
    if (node.type === 'ExpressionStatement' && sendIn(node)) {
      const code = text.slice(node.start, node.end)
      add(node, 'sent twice', `${code}\n${code}`)
    }
    if (isSend(node))
      for (const argument of messageOf(node)) add(argument, 'sent altered', altered(text, argument))
    for (const child of Object.values(node)) visit(child, node)
  }
  visit(parseSync('program.ts', text).program.body)
  return mutants.sort((a, b) => a.line - b.line)
}

/** A statement. Imports are no steps of a program, nor is the name that a loop gives to what it reads. */
function canBeLeftOut({ type }: Node): boolean {
  return (
    (type.endsWith('Statement') && type !== 'BlockStatement') ||
    type === 'VariableDeclaration' ||
    type === 'FunctionDeclaration'
  )
}

/** A function in a table: what to do with one type of message. */
function isTableEntry({ type, value }: Node): boolean {
  return type === 'Property' && (value as Node).type === 'ArrowFunctionExpression'
}

/** A table is a list with commas: without one entry it has a name that nothing uses. */
function instead(text: string, { start, end }: Node): string {
  return text.slice(start, end).replace(/^\w+/, 'nothing')
}

function isSend(node: Node): boolean {
  if (node.type !== 'CallExpression') return false
  const callee = node['callee'] as Node
  const name = (callee['property'] as Node | undefined)?.['name'] ?? callee['name']
  return SENDS.has(String(name))
}

function sendIn(node: Node): boolean {
  const expression = node['expression'] as Node
  return isSend(expression.type === 'AwaitExpression' ? (expression['argument'] as Node) : expression)
}

/** The arguments that are the message: all but the connection, which is a name. */
function messageOf(node: Node): Node[] {
  return (node['arguments'] as Node[]).filter(({ type }) => type !== 'Identifier')
}

/** Another text, or nothing in place of anything else. */
function altered(text: string, { type, start, end }: Node): string {
  const code = text.slice(start, end)
  if (type === 'Literal' || type === 'TemplateLiteral') return `${code.slice(0, -1)} altered${code.at(-1)}`
  return code.startsWith('{') ? '{ altered: true }' : "'altered'"
}
