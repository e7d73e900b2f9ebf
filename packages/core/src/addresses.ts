/**
 * Addresses as texts for people, and ports.
 *
 * @since 0.3.0
 */

/**
 * `192.168.1.20:31415`, and `[::1]:31415` for an IPv6 address.
 *
 * @internal
 */
export function addressOf(host: string | undefined, port: number | undefined): string {
  if (host === undefined) return 'an address that is gone'
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/**
 * Refuses what is no port. To Node `undefined`, as a misspelt name gives it, is any port that is free.
 *
 * @throws TypeError
 * @internal
 */
export function checkPort(port: unknown, lowest: 0 | 1): void {
  if (Number.isInteger(port) && Number(port) >= lowest && Number(port) <= 65_535) return
  throw new TypeError(`A port is a whole number from ${lowest} to 65535, and this one is ${String(port)}.`)
}
