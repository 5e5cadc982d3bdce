import type { OnairError } from './errors.js'
import type { Message } from './wire.js'

interface PendingRequest {
  resolve: (answer: Message) => void
  reject: (error: OnairError) => void
}

/** Requests of one socket that have no answer yet, by their id. */
export class PendingRequests {
  /** Unix milliseconds since when at least one request is pending. */
  pendingSince = 0
  #lastId = 0
  #byId = new Map<unknown, PendingRequest>()

  get size(): number { return this.#byId.size }

  /** Adds a request under a new id, and calls `send` with it. The promise settles with the answer. */
  add(send: (id: number) => void): Promise<Message> {
    const id = ++this.#lastId
    if (!this.size) this.pendingSince = Date.now()
    return new Promise((resolve, reject) => {
      this.#byId.set(id, { resolve, reject })
      send(id)
    })
  }

  /** Removes and returns the request that a message answers. */
  remove(id: unknown): PendingRequest | undefined {
    const request = this.#byId.get(id)
    this.#byId.delete(id)
    return request
  }

  rejectAll(error: OnairError): void {
    const requests = [...this.#byId.values()]
    this.#byId.clear()
    for (const request of requests) request.reject(error)
  }
}
