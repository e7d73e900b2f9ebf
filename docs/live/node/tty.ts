/** The console of a page is no terminal. */
export const isatty = () => false
export default { isatty }
