import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { expect } from 'vitest'

const binary = process.env.ONAIR ?? join(import.meta.dirname, '../../../bin/onair')
const variables = { ...process.env, ONAIR_AUTH_SECRET: 'for-the-tests-of-the-pages-alone-1' }

/** The folder of screenshots. In CI they are an artifact. */
const screenshots = process.env.SCREENSHOTS ?? join(tmpdir(), 'onair-pages')

/** The server's binary, a browser, and pages in it. */
export class TestEnvironment {
  dir = mkdtempSync(join(tmpdir(), 'onair-'))
  url = ''
  /** Errors that pages have logged or thrown. */
  pageErrors: string[] = []

  #server?: ChildProcess
  #browser?: Browser

  /** Starts the server, and again on the same port. */
  async startServer(...flags: string[]): Promise<void> {
    const port = this.url ? new URL(this.url).port : '0'
    this.#server = spawn(binary, [
      '--listen', `127.0.0.1:${port}`, '--ops.listen', '127.0.0.1:0', '--data', join(this.dir, 'data'), '--log.format', 'json',
      '--heartbeat.interval', '2s', '--drain', '1s', '--viewer.anonymous', 'true',
      '--push.domain', '127.0.0.1', '--play.domain', '127.0.0.1', '--play.scheme', 'http', '--play.ports', 'rtmp=10101,flv=10101,hls=10101', // unused ports
      ...flags,
    ], { cwd: this.dir, env: variables, stdio: ['ignore', 'ignore', 'pipe'] })
    for await (const line of createInterface(this.#server.stderr!)) {
      const entry = line.startsWith('{') ? JSON.parse(line) as { message?: string, address?: string } : {}
      if (entry.message === 'serving') {
        this.url = `http://${entry.address}`
        return void this.#server.stderr!.resume()
      }
    }
    throw new Error('the server exited before it served')
  }

  async stopServer(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const server = this.#server
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    const exited = new Promise(resolve => server.once('exit', resolve))
    server.kill(signal)
    await exited
  }

  newToken(role: string, sub: string): string {
    return execFileSync(binary, ['token', '--role', role, '--sub', sub], { cwd: this.dir, env: variables }).toString().trim()
  }

  /** Calls the server with a token, and expects success. */
  async callServer(method: string, path: string, token: string, body?: object): Promise<Response> {
    const response = await fetch(this.url + path, { method, headers: { Authorization: `Bearer ${token}` }, body: body && JSON.stringify(body) })
    expect(response.ok, `${method} ${path}: ${response.status}`).toBe(true)
    return response
  }

  /** Opens a page in its own browser context. */
  async openPage(path: string, options: BrowserContextOptions = {}): Promise<Page> {
    this.#browser ??= await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
        '--disable-sync', '--autoplay-policy=no-user-gesture-required',
      ],
    })
    const context = await this.#browser.newContext({ viewport: { width: 1200, height: 800 }, locale: 'en-GB', ...options })
    const page = await context.newPage()
    page.on('console', m => { if (m.type() === 'error' && !/net::ERR_|WebSocket connection|status of 404/.test(m.text())) this.pageErrors.push(m.text()) })
    page.on('pageerror', e => this.pageErrors.push(e.message))
    await page.goto(this.url + path)
    return page
  }

  /** Opens the studio with the token of an anchor. */
  openStudio(sub: string, options: BrowserContextOptions = {}): Promise<Page> {
    return this.#openWithToken('anchor', sub, '/studio', options)
  }

  /** Opens the console with the token of an operator. */
  openConsole(options: BrowserContextOptions = {}): Promise<Page> {
    return this.#openWithToken('admin', 'op', '/console', options)
  }

  async #openWithToken(role: string, sub: string, path: string, options: BrowserContextOptions): Promise<Page> {
    const page = await this.openPage(path, options)
    await page.fill('textarea', this.newToken(role, sub))
    await page.getByRole('button', { name: 'Use token' }).click()
    return page
  }

  /** Starts a broadcast in a studio. */
  async goLive(studio: Page, title: string, tags = ''): Promise<void> {
    await studio.getByLabel('Title').fill(title)
    await studio.getByLabel('Tags, separated by commas').fill(tags)
    await studio.getByRole('button', { name: 'Go live' }).click()
    await studio.waitForSelector('.broadcast.live')
  }

  async screenshot(page: Page, name: string): Promise<void> {
    mkdirSync(screenshots, { recursive: true })
    await page.screenshot({ path: join(screenshots, name + '.png'), fullPage: true })
  }

  async close(): Promise<void> {
    await this.#browser?.close()
    await this.stopServer('SIGKILL')
    rmSync(this.dir, { recursive: true, force: true })
  }
}
