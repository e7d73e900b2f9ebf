/** Paper is light: a dark page is printed as a light one. */
export function printLight(): void {
  const { classList } = document.documentElement
  let wasDark = false
  window.addEventListener('beforeprint', () => {
    wasDark = classList.contains('dark')
    classList.remove('dark')
  })
  window.addEventListener('afterprint', () => {
    if (wasDark) classList.add('dark')
  })
}
