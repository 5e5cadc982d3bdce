// Real video, from an encoder through nginx-rtmp to the wall.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TestEnvironment } from './environment.js'

let env: TestEnvironment
const children: ChildProcess[] = []

/** A port that is free now. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

function startProcess(command: string, args: string[]): ChildProcess {
  const child = spawn(command, args, { stdio: 'ignore' })
  children.push(child)
  return child
}

beforeEach(() => { env = new TestEnvironment() })

afterEach(async () => {
  for (const child of children.splice(0)) {
    const exited = new Promise(resolve => child.once('exit', resolve))
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGTERM')) await exited
  }
  await env.close()
})

test('the wall plays the video of an encoder', async () => {
  const [rtmp, web] = [await freePort(), await freePort()]
  await env.startServer(
    '--push.domain', `127.0.0.1:${rtmp}`, '--play.protocols', 'hls', '--play.ports', `hls=${web}`,
    '--hooks.nginx-rtmp.enabled', 'true', '--hooks.nginx-rtmp.secret', 'hook',
  )
  const modules = /--modules-path=(\S+)/.exec(execFileSync('sh', ['-c', 'nginx -V 2>&1'], { env: { PATH: `${process.env.PATH}:/usr/sbin` } }).toString())?.[1] ?? '/usr/lib/nginx/modules'
  mkdirSync(join(env.server.dir, 'hls'), { mode: 0o777 })
  const hook = `${env.server.url}/v1/hooks/nginx-rtmp/hook`
  writeFileSync(join(env.server.dir, 'nginx.conf'), `
load_module ${modules}/ngx_rtmp_module.so;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1; daemon off; pid ${env.server.dir}/nginx.pid; error_log ${env.server.dir}/nginx.log;
events { }
rtmp { access_log off; server { listen 127.0.0.1:${rtmp}; application live {
  live on; on_publish ${hook}; on_publish_done ${hook}; on_update ${hook};
  hls on; hls_path ${env.server.dir}/hls; hls_fragment 1s; hls_playlist_length 6s;
} } }
http {
  access_log off; client_body_temp_path ${env.server.dir}; proxy_temp_path ${env.server.dir}; fastcgi_temp_path ${env.server.dir}; uwsgi_temp_path ${env.server.dir}; scgi_temp_path ${env.server.dir};
  server { listen 127.0.0.1:${web}; location /live/ {
    types { application/vnd.apple.mpegurl m3u8; video/mp2t ts; }
    alias ${env.server.dir}/hls/; add_header Access-Control-Allow-Origin *; add_header Cache-Control no-cache;
  } }
}`)
  process.env.PATH = `${process.env.PATH}:/usr/sbin`
  startProcess('nginx', ['-e', join(env.server.dir, 'nginx.log'), '-p', env.server.dir, '-c', join(env.server.dir, 'nginx.conf')])

  const studio = await env.openStudio('alice')
  await env.goLive(studio, 'A test video')
  const push = await studio.getByLabel('RTMP').inputValue()
  startProcess('ffmpeg', ['-v', 'error', '-re', '-f', 'lavfi', '-i', 'testsrc=size=320x180:rate=25', '-t', '60', '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '25', '-f', 'flv', push])
  await expect.poll(async () => (await fetch(`http://127.0.0.1:${web}/live/8888_alice.m3u8`).catch(() => undefined))?.status, { timeout: 30_000 }).toBe(200)

  const wall = await env.openPage('/')
  await wall.locator('.tile[data-code="8888_alice"]').click()
  const currentTime = () => wall.locator('video').evaluate(v => (v as HTMLVideoElement).currentTime)
  await expect.poll(currentTime, { timeout: 30_000 }).toBeGreaterThan(0)
  const first = await currentTime()
  await expect.poll(currentTime, { timeout: 30_000 }).toBeGreaterThan(first + 1)
  expect(await wall.locator('video').evaluate(v => (v as HTMLVideoElement).videoWidth)).toBe(320)
  await env.screenshot(wall, 'wall-playing')
  expect(env.pageErrors).toEqual([])
})
