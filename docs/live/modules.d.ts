/** What a program may import, by specifier. The build makes it of what the chapters import. */
declare module 'virtual:live-modules' {
  export const modules: Record<string, Record<string, unknown>>
}
