// The server's binary, a browser, and pages in it.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { expect } from 'vitest'

const binary = process.env.ONAIR ?? join(import.meta.dirname, '../../../bin/onair')
const env = { ...process.env, ONAIR_AUTH_SECRET: 'for-the-tests-of-the-pages-alone-1' }

/** Where pictures of pages go: a folder that CI keeps, and the tree does not. */
const pictures = process.env.SCREENSHOTS ?? join(tmpdir(), 'onair-pages')

export class Stage {
  dir = mkdtempSync(join(tmpdir(), 'onair-'))
  url = ''
  /** What pages have complained about. */
  complaints: string[] = []

  #server?: ChildProcess
  #browser?: Browser

  /** Starts the server, at the port of before if there was one. */
  async serve(...flags: string[]): Promise<void> {
    const port = this.url ? new URL(this.url).port : '0'
    this.#server = spawn(binary, [
      '--listen', `127.0.0.1:${port}`, '--ops.listen', '127.0.0.1:0', '--data', join(this.dir, 'data'), '--log.format', 'json',
      '--heartbeat.interval', '2s', '--drain', '1s', '--viewer.anonymous', 'true',
      '--push.domain', '127.0.0.1', '--play.domain', '127.0.0.1', '--play.scheme', 'http', '--play.ports', 'rtmp=10101,flv=10101,hls=10101', // nobody is there
      ...flags,
    ], { cwd: this.dir, env, stdio: ['ignore', 'ignore', 'pipe'] })
    for await (const line of createInterface(this.#server.stderr!)) {
      const said = line.startsWith('{') ? JSON.parse(line) as { message?: string, address?: string } : {}
      if (said.message === 'serving') {
        this.url = `http://${said.address}`
        return void this.#server.stderr!.resume()
      }
    }
    throw new Error('the server does not start')
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const server = this.#server
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    const ended = new Promise(resolve => server.once('exit', resolve))
    server.kill(signal)
    await ended
  }

  token(role: string, sub: string): string {
    return execFileSync(binary, ['token', '--role', role, '--sub', sub], { cwd: this.dir, env }).toString().trim()
  }

  /** Calls the server as somebody. */
  async call(method: string, path: string, token: string, body?: object): Promise<Response> {
    const answer = await fetch(this.url + path, { method, headers: { Authorization: `Bearer ${token}` }, body: body && JSON.stringify(body) })
    expect(answer.ok, `${method} ${path}: ${answer.status}`).toBe(true)
    return answer
  }

  /** Opens a page in a browser context of its own. */
  async page(path: string, options: BrowserContextOptions = {}): Promise<Page> {
    this.#browser ??= await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
        '--disable-sync', '--autoplay-policy=no-user-gesture-required',
      ],
    })
    const context = await this.#browser.newContext({ viewport: { width: 1200, height: 800 }, locale: 'en-GB', ...options })
    const page = await context.newPage()
    page.on('console', m => { if (m.type() === 'error' && !/net::ERR_|WebSocket connection|status of 404/.test(m.text())) this.complaints.push(m.text()) })
    page.on('pageerror', e => this.complaints.push(e.message))
    await page.goto(this.url + path)
    return page
  }

  /** Opens the studio as an anchor. */
  studio(sub: string, options: BrowserContextOptions = {}): Promise<Page> {
    return this.#as('anchor', sub, '/studio', options)
  }

  /** Opens the console as one who operates. */
  console(options: BrowserContextOptions = {}): Promise<Page> {
    return this.#as('admin', 'op', '/console', options)
  }

  async #as(role: string, sub: string, path: string, options: BrowserContextOptions): Promise<Page> {
    const page = await this.page(path, options)
    await page.fill('textarea', this.token(role, sub))
    await page.getByRole('button', { name: 'Use it' }).click()
    return page
  }

  /** Goes live in a studio. */
  async goLive(page: Page, title: string, tags = ''): Promise<void> {
    await page.getByLabel('Title').fill(title)
    await page.getByLabel('Tags, by commas').fill(tags)
    await page.getByRole('button', { name: 'Go live' }).click()
    await page.waitForSelector('.broadcast.live')
  }

  async picture(page: Page, name: string): Promise<void> {
    mkdirSync(pictures, { recursive: true })
    await page.screenshot({ path: join(pictures, name + '.png'), fullPage: true })
  }

  async close(): Promise<void> {
    await this.#browser?.close()
    await this.stop('SIGKILL')
    rmSync(this.dir, { recursive: true, force: true })
  }
}
