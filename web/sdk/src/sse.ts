/** One event of a stream of Server-Sent Events. */
export interface ServerEvent {
  name: string
  data: string
}

/** Reads events from text that comes in pieces, as the HTML standard has them. */
export class EventParser {
  #rest = ''
  #name = ''
  #data: string[] = []

  /** Takes a piece in, and gives the events that it completes. */
  push(piece: string): ServerEvent[] {
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/)
    this.#rest = lines.pop()!
    const events: ServerEvent[] = []
    for (const line of lines) {
      if (line === '') {
        if (this.#data.length) events.push({ name: this.#name || 'message', data: this.#data.join('\n') })
        this.#name = ''
        this.#data = []
        continue
      }
      const colon = line.indexOf(':')
      const field = colon < 0 ? line : line.slice(0, colon)
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
      if (field === 'event') this.#name = value
      else if (field === 'data') this.#data.push(value)
    }
    return events
  }
}
