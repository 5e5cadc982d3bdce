import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** The server's binary: from the environment variable ONAIR, else as `make build` leaves it. */
export const binary = process.env.ONAIR ?? join(import.meta.dirname, '../../../bin/onair')

/** A server process with its own data directory. */
export class TestServer {
  readonly dir = mkdtempSync(join(tmpdir(), 'onair-'))
  url = ''
  readonly #env = { ...process.env, ONAIR_AUTH_SECRET: 'for-the-tests-of-web-clients-alone-1', ONAIR_PUSH_KEY: 'push', ONAIR_PLAY_KEY: 'play' }
  #process?: ChildProcess

  /** Starts the server; after a stop on the same port. */
  async start(...flags: string[]): Promise<void> {
    const port = this.url ? new URL(this.url).port : '0'
    this.#process = spawn(binary, [
      '--listen', `127.0.0.1:${port}`, '--ops.listen', '127.0.0.1:0', '--data', join(this.dir, 'data'), '--log.format', 'json',
      '--drain', '1s', '--viewer.anonymous', 'true', ...flags,
    ], { cwd: this.dir, env: this.#env, stdio: ['ignore', 'ignore', 'pipe'] })
    const log = this.#process.stderr!
    for await (const line of createInterface(log)) {
      const entry = line.startsWith('{') ? JSON.parse(line) as { message?: string, address?: string } : {}
      if (entry.message === 'serving') {
        this.url = `http://${entry.address}`
        return void log.resume()
      }
    }
    throw new Error('the server exited before it served')
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const server = this.#process
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    const exited = new Promise(resolve => server.once('exit', resolve))
    server.kill(signal)
    await exited
  }

  newToken(role: string, sub: string): string {
    return execFileSync(binary, ['token', '--role', role, '--sub', sub], { cwd: this.dir, env: this.#env }).toString().trim()
  }

  /** Kills the server and deletes its data. */
  async close(): Promise<void> {
    await this.stop('SIGKILL')
    rmSync(this.dir, { recursive: true, force: true })
  }
}
