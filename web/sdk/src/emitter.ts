import { harmless } from './harmless.js'

/** Events by name, each with one value. */
export class Emitter<Events extends object> {
  #listeners = new Map<keyof Events, Set<(value: never) => void>>()

  /** Calls back for each event of a name, until what it returns is called. */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    let all = this.#listeners.get(name)
    if (!all) this.#listeners.set(name, (all = new Set()))
    all.add(listener)
    return () => void all.delete(listener)
  }

  protected emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) harmless(() => listener(value as never))
  }
}
