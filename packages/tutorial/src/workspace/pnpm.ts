/** How pnpm is called here. `pnpm test` has it on its path; somebody who started vitest in another way may not. */
export const PNPM: [command: string, ...args: string[]] = process.env['npm_config_user_agent']?.startsWith(
  'pnpm/',
)
  ? ['pnpm']
  : ['npx', '-y', 'pnpm@12']
