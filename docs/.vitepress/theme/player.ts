/** The player of recordings, with its looks: loaded when a run is shown, and not before. */
import 'asciinema-player/dist/bundle/asciinema-player.css'

export { create } from 'asciinema-player'
