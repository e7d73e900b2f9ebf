/**
 * What a reader is told when a socket fails: what happened, where, and what can be done. The system only gives
 * a code, as ECONNREFUSED.
 *
 * @since 0.3.0
 */
import { addressOf } from './addresses.ts'
import { whyNoDescriptor } from './descriptors.ts'
import { whyPortTaken } from './port-taken.ts'

/**
 * How a connection was lost.
 *
 * @internal
 */
export function whyLost(error: Error): string {
  const { reason } = error as Error & { reason?: string } // as TLS gives it, whose message is for its makers
  return REASONS_OF_LOSS[codeOf(error)] ?? reason ?? error.message
}

const REASONS_OF_LOSS: Record<string, string> = {
  ECONNRESET: 'the other end reset it',
  EPIPE: 'the other end closed it',
  ETIMEDOUT: 'the other end answers no more',
  EHOSTUNREACH: 'its machine cannot be reached any more',
  ENETUNREACH: 'its network cannot be reached any more',
  ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC: 'what came was changed on the way, or played back',
  ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC: 'the other end got something that was changed on the way',
  'ERR_SSL_SSL/TLS_ALERT_BAD_RECORD_MAC': 'the other end got something that was changed on the way',
}

/**
 * Why no connection came about, in the words of a program that calls the other end `peer`.
 *
 * @internal
 */
export function whyNotConnected(error: unknown, address: string, peer: string): string {
  const shortage = whyNoDescriptor(error)
  if (shortage !== undefined) return `Cannot connect to the ${peer} at ${address}: ${shortage}.`
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return `Nobody listens on ${address}. Is the ${peer} running?`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `No machine is known by the name in ${address}. Is it spelled right? An IP address works without names.`
    case 'ETIMEDOUT':
      return `No answer from ${address}. Is the ${peer}'s machine on, the address right, and the port open in its firewall?`
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `There is no route to ${address}. Are both machines on the same network?`
    case 'ECONNRESET':
      return `Cannot connect to the ${peer} at ${address}: ${whyLost(error as Error)}.`
    default:
      return `Cannot connect to the ${peer} at ${address}: ${messageOf(error)}.`
  }
}

/**
 * Why a program cannot listen.
 *
 * @internal
 */
export async function whyNotListening(error: unknown, host: string, port: number): Promise<string> {
  const shortage = whyNoDescriptor(error)
  if (shortage !== undefined) return `Cannot listen on ${addressOf(host, port)}: ${shortage}.`
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      if (port === 0) return `No port is free on ${host}: programs use all that the system gives out.`
      return `Port ${port} is taken on ${host}: ${await whyPortTaken((error as { address?: string }).address ?? host, port)}`
    case 'EACCES':
      return `Port ${port} needs more rights than this user has. Choose one from 1024 to 65535.`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `This machine has no address ${host} to listen on. Use one of its own, 127.0.0.1 for this machine only, or 0.0.0.0 for all of them.`
    default:
      return `Cannot listen on ${addressOf(host, port)}: ${messageOf(error)}.`
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException)?.code ?? ''
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
