/** One Server-Sent Event. */
export interface ServerEvent {
  name: string
  data: string
}

/** Parses Server-Sent Events, as the HTML standard defines them, from chunks of text. */
export class EventParser {
  #incompleteLine = ''
  #name = ''
  #data: string[] = []

  /** Adds a chunk, and returns the events that it completes. */
  push(chunk: string): ServerEvent[] {
    const lines = (this.#incompleteLine + chunk).split(/\r\n|\n|\r(?!$)/)
    this.#incompleteLine = lines.pop()!
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
