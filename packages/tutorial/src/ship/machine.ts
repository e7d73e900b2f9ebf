/** Whether a machine can run a bundle: what is asked of it before anything is copied. */
import { posix } from 'node:path'
import { type Answer, HostError, lastLine, type Remote } from './remote.ts'
import { sh } from './shell.ts'

/** What `uname -m` says on the processors that the programs are for. */
const PROCESSORS = ['aarch64', 'arm64', 'x86_64']

/** What Node says of itself where the whole system is a 64-bit one, and not only its kernel. */
const ARCHITECTURES = ['arm64', 'x64']

/** How much is to stay free on the disk, in kB: a full card takes more than the bundle with it. */
const ROOM_KB = 20_000

/** What a bundle needs of a machine. */
interface Needs {
  /** The folder that it goes to. */
  folder: string
  /** The oldest Node that it runs on, such as `20.19`. */
  node: string
  /** How much room it takes, in kB. */
  kilobytes: number
  /** Whether anything is to be installed that only root may. */
  asRoot: boolean
}

/** What a machine is like. */
export interface Machine {
  /** In words. */
  shown: string
  /** Whether its folder has to be made by root. */
  isFolderOfRoot: boolean
}

/**
 * Asks a machine whether it will do.
 *
 * @throws HostError when it will not, with all the reasons
 */
export async function checkMachine(remote: Remote, needs: Needs): Promise<Machine> {
  const { folder } = needs
  const [uname, node, free, id, entries, nearest] = await remote.read(
    'uname -m',
    'node --version && node -p process.arch',
    // It complains of those that are not there, and says of the others what is free.
    sh`df -Pk -- ${andAbove(folder)}`,
    'id -u',
    sh`ls -A ${folder}`,
    sh`for folder in ${andAbove(folder)}; do if [ -e "$folder" ]; then [ -d "$folder" ] && [ -w "$folder" ]; exit; fi; done`,
  )
  if (!uname || !node || !free || !id || !entries || !nearest) throw new HostError('It does not answer.')
  const processor = lastLine(uname.stdout)
  const isProcessor = PROCESSORS.includes(processor)
  const room = roomIn(free)
  const isOfRoot = !entries.isOk && !nearest.isOk && lastLine(id.stdout) !== '0'
  const [sudo] =
    lastLine(id.stdout) !== '0' && (needs.asRoot || isOfRoot) ? await remote.read('sudo -n true') : []

  const problems = [
    !isProcessor &&
      `uname -m says ${processor || 'nothing'}, and the programs need a 64-bit system: ${PROCESSORS.join(', ')}. Write a 64-bit Raspberry Pi OS to its card.`,
    isProcessor && nodeProblem(node, needs.node),
    room < needs.kilobytes + ROOM_KB &&
      `${megabytes(room)} are free for ${folder}, and ${megabytes(needs.kilobytes + ROOM_KB)} should be. Make room there, or name a folder on another disk: --folder.`,
    folderProblem(folder, entries, nearest),
    sudo?.isOk === false &&
      `sudo does not work without a password (${sudo.why}), and ${needs.asRoot ? 'a service is installed' : `${folder} is made`} by it. Allow it there, by sudo visudo${needs.asRoot ? '' : ', or name a folder in your home: --folder cluster'}.`,
  ].filter((text) => typeof text === 'string')
  if (problems.length > 0) throw new HostError(problems.join('\n'))
  const version = node.stdout.trimEnd().split('\n').at(-2)
  return {
    shown: `${processor}, Node ${version}${Number.isFinite(room) ? `, ${megabytes(room)} free` : ''}`,
    isFolderOfRoot: isOfRoot,
  }
}

function nodeProblem({ isOk, stdout, why }: Answer, needed: string): string | false {
  if (!isOk)
    return `node does not start (${why}). Install Node ${needed} or later for all users: sudo apt install nodejs. (One of nvm's is there only for who logs in.)`
  const [version = '', architecture = ''] = stdout.trimEnd().split('\n').slice(-2)
  if (!isAtLeast(version, needed))
    return `Node is ${version}, and the programs need ${needed} or later: https://nodejs.org/en/download has one for ARM64.`
  if (!ARCHITECTURES.includes(architecture))
    return `Node is one for ${architecture}, so the system is a 32-bit one on a 64-bit kernel. Write a 64-bit Raspberry Pi OS to its card.`
  return false
}

function isAtLeast(version: string, needed: string): boolean {
  const [major = 0, minor = 0] = (version.match(/\d+/g) ?? []).map(Number)
  const [neededMajor = 0, neededMinor = 0] = (needed.match(/\d+/g) ?? []).map(Number)
  return major > neededMajor || (major === neededMajor && minor >= neededMinor)
}

/** How much is free, in kB, as `df` says it; nothing known is no reason to refuse. */
function roomIn({ stdout }: Answer): number {
  const free = /(\d+) +\d+% +\S*$/m.exec(stdout)?.[1]
  return free === undefined ? Number.POSITIVE_INFINITY : Number(free)
}

/** What is wrong with a folder that is there: something else is in it, or it is somebody else's. */
function folderProblem(folder: string, { isOk, stdout }: Answer, nearest: Answer): string | false {
  if (!isOk) return false
  const entries = stdout.split('\n').filter(Boolean)
  if (entries.length > 0 && !entries.includes(MEMORY_FOLDER))
    return `There are other things in ${folder}. Name a new folder, or an empty one: --folder.`
  if (!nearest.isOk)
    return `${folder} is not yours to write. Make it so there, by ${sh`sudo chown -R "$USER" ${folder}`}, or name another: --folder.`
  return false
}

/** Where a machine keeps what `ship` has to remember of it, in the folder of a chapter: it marks the folder as one. */
export const MEMORY_FOLDER = '.ship'

/** A folder and those above it, nearest first. */
function andAbove(folder: string): string[] {
  const above = posix.dirname(folder)
  return above === folder ? [folder] : [folder, ...andAbove(above)]
}

function megabytes(kilobytes: number): string {
  return `${Math.floor(kilobytes / 1000)} MB`
}
