/** A colour for each node, the same wherever and whenever its name is seen. */

/** Red, green and blue, 0 to 255 each. */
export type Colour = [red: number, green: number, blue: number]

/**
 * How bright each is, as WCAG counts it (0 black, 1 white): in the middle between what a light page and a dark one leave, so
 * that it stands out by more than 4:1 from white, and from the dark page's ground.
 */
const BRIGHTNESS = 0.2

/** How far apart the hues of nodes are whose names differ by one, in degrees: with the golden angle no two of a few are alike. */
const GOLDEN_ANGLE = 137.508

const known = new Map<string, Colour>()

/** How many are kept. Names come from the network. */
const MOST_KNOWN = 1_000

export function colourOf(node: string): Colour {
  const kept = known.get(node)
  if (kept) return kept
  const [, name = '', number = '0'] = /^(.*?)(\d*)$/s.exec(node) ?? []
  let hash = 0
  for (const letter of name) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) % 360
  const colour = bright((hash + Number(number) * GOLDEN_ANGLE) % 360)
  if (known.size >= MOST_KNOWN) known.clear()
  known.set(node, colour)
  return colour
}

/** As HTML and SVG write it: `#1b6e34`. */
export function hexOf(colour: Colour): string {
  return `#${colour.map((part) => part.toString(16).padStart(2, '0')).join('')}`
}

/** The colour of a hue that is as bright as all others. */
function bright(hue: number): Colour {
  let [dark, light] = [0, 1]
  for (let look = 0; look < 20; look += 1) {
    const middle = (dark + light) / 2
    if (brightnessOf(fromHue(hue, middle)) < BRIGHTNESS) dark = middle
    else light = middle
  }
  return fromHue(hue, light)
}

/** HSL, as CSS has it, with a saturation of 75 %. */
function fromHue(hue: number, lightness: number): Colour {
  const chroma = 0.75 * Math.min(lightness, 1 - lightness)
  const part = (offset: number) => {
    const at = (offset + hue / 30) % 12
    return Math.round(255 * (lightness - chroma * Math.max(-1, Math.min(at - 3, 9 - at, 1))))
  }
  return [part(0), part(8), part(4)]
}

function brightnessOf(colour: Colour): number {
  const [red, green, blue] = colour.map((part) => {
    const share = part / 255
    return share <= 0.040_45 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }) as Colour
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
