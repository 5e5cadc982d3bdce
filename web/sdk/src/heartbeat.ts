/** An ack is due after a quarter of the interval, and after this at the latest. */
const maxAckTimeout = 10_000

interface HeartbeatActions {
  /** Whether beats can be sent now. */
  canBeat: () => boolean
  /** Sends a beat; `at` is the time, in Unix milliseconds. */
  sendBeat: (n: number, at: number) => void
  /** Receives when the next beat is due, in Unix milliseconds. */
  onSchedule: (at: number) => void
  /** Called when beat `n` was not acknowledged in time. */
  onAckTimeout: (n: number) => void
}

/** Sends beats on an interval, and waits for their acks. */
export class Heartbeat {
  intervalMs = 60_000
  #lastN = 0
  /** When each beat without an ack was sent, by its number. */
  readonly #sentAt = new Map<number, number>()
  #beatTimer?: ReturnType<typeof setTimeout>
  #ackTimer?: ReturnType<typeof setTimeout>

  constructor(readonly actions: HeartbeatActions) {}

  /** Sends a beat now, and the next one an interval later. Does nothing when beats cannot be sent. */
  beat(): void {
    clearTimeout(this.#beatTimer)
    if (!this.actions.canBeat()) return
    const [n, at] = [++this.#lastN, Date.now()]
    this.#sentAt.set(n, at)
    this.#restartAckTimer()
    this.actions.onSchedule(at + this.intervalMs)
    this.#beatTimer = setTimeout(() => this.beat(), this.intervalMs)
    this.actions.sendBeat(n, at)
  }

  /** Records the ack of a beat. Returns the round trip in milliseconds, or undefined for a beat that is not pending. */
  recordAck(n: number): number | undefined {
    const sentAt = this.#sentAt.get(n)
    if (sentAt === undefined) return undefined
    for (const older of this.#sentAt.keys()) if (older <= n) this.#sentAt.delete(older)
    this.#restartAckTimer()
    return Date.now() - sentAt
  }

  stop(): void {
    clearTimeout(this.#beatTimer)
    clearTimeout(this.#ackTimer)
    this.#sentAt.clear()
  }

  /** Waits for the ack of the oldest pending beat. */
  #restartAckTimer(): void {
    clearTimeout(this.#ackTimer)
    const [oldest] = this.#sentAt
    if (!oldest) return
    const [n, sentAt] = oldest
    const timeout = Math.min(maxAckTimeout, this.intervalMs / 4)
    this.#ackTimer = setTimeout(() => this.actions.onAckTimeout(n), Math.max(0, Math.min(timeout, sentAt + timeout - Date.now())))
  }
}
