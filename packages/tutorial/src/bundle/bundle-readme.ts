/** The page that lies in a bundle: what it is, and the very commands. */
import { type Chapter, INSTALLER } from '../chapters/chapters.ts'
import type { Program } from '../chapters/cluster.ts'
import { configFilesOf, forCopy } from '../chapters/ports.ts'

/** @param engines which versions of Node it takes */
export function bundleReadme(chapter: Chapter, { node }: { node: string }): string {
  const configs = configFilesOf(chapter)
  const logs = chapter.programs.map(({ log }) => `\`${forCopy(log, 1)}\``)
  const paragraphs = [
    `# ${chapter.name}`,
    `*${chapter.title}*, a chapter of the Raspberry Pi cluster tutorial, as plain JavaScript. It needs Node ${node.replace(/^>=(.+)$/, '$1 or later')} and nothing else. Copy this folder to each machine, go there, and run:`,
    ['```sh', ...aligned(commandLines(chapter)), '```'].join('\n'),
    configs.length > 0 &&
      `Addresses and ports are in ${configs.map((file) => `\`${file}\``).join(', ')}: edit that before you copy the folder. ${chapter.config === undefined ? '' : '`--config FILE` names another file. '}`.trim(),
    programs(chapter) > 1 &&
      'What several programs import is in the files `shared-*.js`, so they belong together.',
    `Each program writes its log here, to ${logs.join(' or ')}, and ends on Ctrl-C.${chapter.commands.includes(INSTALLER) ? ' What the machine starts is ended by `sudo systemctl disable --now rpicluster-NAME`; `sudo journalctl -u rpicluster-NAME` shows its log.' : ''}`,
    `Made by \`pnpm bundle ${chapter.name}\`. The same command writes it anew${configs.length > 0 ? ', and leaves the configuration as you have written it' : ''}.`,
  ]
  return `${paragraphs.filter(Boolean).join('\n\n')}\n`
}

function programs({ programs, commands }: Chapter): number {
  return programs.length + commands.length
}

/** A command for each program, in the order in which they start, with what there is to know of it. */
function commandLines({ programs, commands }: Chapter): [command: string, what: string][] {
  const lines: [command: string, what: string][] = [
    ...programs.flatMap((program, index) =>
      Array.from({ length: program.copies }, (_, copy): [string, string] => [
        ['node', `${program.name}.js`, ...argumentsOf(program, copy + 1)].join(' '),
        [
          index === 0 && programs.length > 1 && `first. When it says "${program.ready[0]}", start the others`,
          program.connectsTo !== undefined && `connects to ${program.connectsTo}`,
          program.many !== undefined && `on as many machines as you like`,
        ]
          .filter(Boolean)
          .join(', '),
      ]),
    ),
    ...commands.flatMap((name): [string, string][] =>
      name === INSTALLER
        ? programs.map((program) => [
            `node ${name}.js ${program.name} --install`,
            'as root, or by sudo: from now on the machine starts it',
          ])
        : [[`node ${name}.js`, 'ends by itself']],
    ),
  ]
  return [...new Map(lines)] // copies that are started alike need one line
}

function argumentsOf({ args, config }: Program, copy: number): string[] {
  return [...args, ...(config === undefined ? [] : ['--config', config])].map((text) => forCopy(text, copy))
}

function aligned(lines: readonly [command: string, what: string][]): string[] {
  const width = Math.max(...lines.map(([command]) => command.length))
  return lines.map(([command, what]) => (what ? `${command.padEnd(width)}  # ${what}` : command))
}
