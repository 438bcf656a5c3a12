import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ConfigChanges, Running, state, vmConfig } from '../bridge/running.ts';
import { eventually } from '../eventually.ts';
import { freePort } from '../lab/processes.ts';

const token = 'a token that is long enough';
const page = { 'x-dsm2mqtt': 'page', 'content-type': 'application/json' };

async function startWeb(changes: ConfigChanges = {}) {
  const listen = { host: '127.0.0.1', port: await freePort() };
  const running = await Running.start({ ...changes, web: { listen, ...changes.web } });
  const root = `http://127.0.0.1:${listen.port}`;
  const get = (path: string, headers: Record<string, string> = {}) => fetch(`${root}/${path}`, { headers });
  const post = (path: string, body: unknown, headers: Record<string, string> = page) =>
    fetch(`${root}/${path}`, { method: 'POST', body: JSON.stringify(body), headers });
  const command = async (body: unknown, vm = 'DSM') => {
    const answer = await post(`api/command?vm=${vm}`, body);
    return (await answer.text())
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
  };
  return Object.assign(running, { listen, root, get, post, command });
}

/** What a page hears, from the beginning. */
async function listen(root: string, headers: Record<string, string> = {}) {
  const messages: Record<string, unknown>[] = [];
  const end = new AbortController();
  const answer = await fetch(`${root}/api/live`, { headers, signal: end.signal });
  const read = async () => {
    let rest = '';
    for await (const text of (answer.body as ReadableStream).pipeThrough(new TextDecoderStream())) {
      const all = (rest + text).split('\n\n');
      rest = all.pop() ?? '';
      messages.push(...all.filter(each => each.startsWith('data: ')).map(each => JSON.parse(each.slice(6))));
    }
  };
  const ended = read().catch(() => {});
  return {
    messages,
    ended,
    take: (match: object) => eventually(() => expect(messages).toContainEqual(expect.objectContaining(match))),
    [Symbol.dispose]: () => end.abort(),
  };
}

test('a page hears all that is known, then what changes, and what happens', async () => {
  await using web = await startWeb();
  using live = await listen(web.root);
  await live.take({ user: null });
  expect(live.messages[0]).toEqual({ now: expect.stringMatching(/^\d{4}-.*Z$/) });
  expect(live.messages[1]).toMatchObject({ bridge: { instance: 'nas', broker: null, libvirt: null } });
  expect(live.messages[2]).toMatchObject({
    vm: 'DSM',
    label: 'DSM VM',
    guest: 'dsm',
    commands: expect.arrayContaining(['start', 'shutdown', 'cancel']),
    display: false,
    state: { power: 'OFF' },
    check: { verdict: expect.any(String) },
    stats: { stale: false },
    boot: null,
    loader: null,
  });
  web.daemon.domain('DSM').start();
  await live.take({ vm: 'DSM', state: expect.objectContaining({ power: 'ON' }) });
  const news = live.messages.slice(3).find(message => message['state']);
  expect(news).not.toHaveProperty('label');
  expect(news).not.toHaveProperty('loader');
  await live.take({ vm: 'DSM', event: expect.objectContaining({ event_type: 'started' }) });
  // A second page has all, too.
  using second = await listen(web.root);
  await second.take({ vm: 'DSM', label: 'DSM VM', state: expect.objectContaining({ power: 'ON' }) });
});

test('quiet time that is set on a page is there for every page, and ends on one', async () => {
  await using web = await startWeb();
  using live = await listen(web.root);
  await live.take({ vm: 'DSM', quiet: { on: false, until: null, by: null } });
  await web.command({ command: 'quiet', for: '2h' });
  await live.take({ vm: 'DSM', quiet: { on: true, until: expect.any(String), by: 'page' } });
  await web.command({ command: 'quiet', enabled: false });
  await eventually(() => {
    expect(live.messages.findLast(message => message['quiet'])).toMatchObject({ quiet: { on: false } });
  });
});

test('of a hundred VMs a page hears at once', async () => {
  const keys = Array.from({ length: 100 }, (_, i) => `vm-${i}`);
  await using web = await startWeb({ vms: ['DSM', ...keys].map(key => vmConfig({ key, domain: key })) });
  using live = await listen(web.root);
  await live.take({ user: null });
  expect(live.messages.filter(({ state }) => state)).toHaveLength(101);
});

test('a page hears that the broker is away, and that it is back', async () => {
  await using web = await startWeb();
  using live = await listen(web.root);
  await web.broker.kill();
  await live.take({ bridge: expect.objectContaining({ broker: expect.any(String) }) });
  await web.broker.start();
  await eventually(() => {
    const last = live.messages.findLast(message => message['bridge']);
    expect(last).toMatchObject({ bridge: { broker: null } });
  });
});

test('a command goes the way of all commands: its responses, its permissions, and the page in the record', async () => {
  await using web = await startWeb({ vms: [vmConfig({ commands: ['start', 'shutdown'] })] });
  const responses = await web.command({ command: 'start', id: 'mine', by: 'somebody' });
  expect(responses[0]).toMatchObject({ id: 'mine', command: 'start', status: 'accepted' });
  expect(responses.at(-1)).toMatchObject({ id: 'mine', status: 'succeeded', remaining_ms: null });
  await state(web.seen, ({ power }) => power === 'ON');
  expect(await web.command({ command: 'start', id: 'mine' })).toMatchObject([
    { status: 'rejected', code: 'duplicate' },
  ]);
  expect(await web.command({ command: 'reset' })).toMatchObject([{ status: 'rejected', code: 'not_allowed' }]);
  expect(await web.command({ command: 'fly' })).toMatchObject([{ status: 'rejected', code: 'unknown_command' }]);
  for (const body of [[], null, 'start', 5]) {
    expect(await web.command(body)).toMatchObject([{ status: 'rejected', code: 'invalid_payload' }]);
  }
  expect(await web.command({ command: 'start', x: 'x'.repeat(9_000) })).toMatchObject([{ code: 'invalid_payload' }]);
  const { status } = await web.post('api/command?vm=other', { command: 'start' });
  expect(status).toBe(404);
});

test('a power cut needs the VM’s key, typed; the record names the page', async () => {
  const vms = [vmConfig({ commands: ['start', 'force_off'] })];
  await using web = await startWeb({ vms });
  web.daemon.domain('DSM').start();
  await state(web.seen, ({ power }) => power === 'ON');
  for (const typed of [undefined, 'dsm', true]) {
    const [refused] = await web.command({ command: 'force_off', typed });
    expect(refused).toMatchObject({ status: 'rejected', message: 'force_off needs "typed": "DSM"' });
  }
  expect(web.daemon.domain('DSM').active).toBe(true);
  const responses = await web.command({ command: 'force_off', typed: 'DSM' });
  expect(responses.at(-1)).toMatchObject({ status: 'succeeded' });
  await state(web.seen, ({ power, last_stop }) => power === 'OFF' && last_stop.by === 'page');
  await eventually(async () => {
    const record = await (await web.get('api/record?vm=DSM&days=7')).json();
    expect((record as { lines: unknown[] }).lines).toContainEqual(
      expect.objectContaining({ what: 'stop', by: 'page', why: 'force_off' }),
    );
  });
});

test('a shutdown that cuts the power when its time is up needs the key, too', async () => {
  await using web = await startWeb({ vms: [vmConfig({ commands: ['shutdown', 'force_off'] })] });
  const body = { command: 'shutdown', timeout: '1ms', on_timeout: 'force_off' };
  expect(await web.command(body)).toMatchObject([{ status: 'rejected', message: expect.stringContaining('typed') }]);
});

test('the record begins with the verdict and the quiet time that were there before', async () => {
  await using web = await startWeb();
  const ago = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();
  const probes = {};
  const lines = [
    { at: ago(20), what: 'verdict', verdict: 'off', problem: false, reason: 'x', probes },
    { at: ago(9), what: 'verdict', verdict: 'up', problem: false, reason: 'y', probes },
    { at: ago(8), what: 'quiet', until: ago(-3), by: 'me' },
    { at: ago(0.5), what: 'verdict', verdict: 'unreachable', problem: true, reason: 'z', probes },
  ];
  await mkdir(join(web.folder, 'history'), { recursive: true });
  const text = (each: object[]) => each.map(line => `${JSON.stringify(line)}\n`).join('');
  await writeFile(join(web.folder, 'history', 'DSM.jsonl'), text(lines));
  const record = (await (await web.get('api/record?vm=DSM&days=1')).json()) as { lines: { what: string }[] };
  const told = record.lines.filter(({ what }) => what === 'verdict' || what === 'quiet');
  expect(told.slice(0, 3)).toMatchObject(lines.slice(1).map(line => ({ at: line.at, what: line.what })));
});

test('many requests in one packet on one connection cost one place, not three hundred', async () => {
  await using web = await startWeb({ web: { token } });
  const socket = connect(web.listen.port, '127.0.0.1').on('error', () => {});
  const closed = new Promise(resolve => socket.once('close', resolve));
  socket.resume().write('GET /api/live HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(400));
  await closed;
  const known = { authorization: `Bearer ${token}` };
  await eventually(async () => expect((await web.get('api/samples?vm=DSM', known)).status).toBe(200));
});

test('two hundred that connect before they ask, as after a restart of the bridge, are all served', async () => {
  await using web = await startWeb();
  const sockets = Array.from({ length: 200 }, () => connect(web.listen.port, '127.0.0.1'));
  await Promise.all(sockets.map(socket => once(socket, 'connect')));
  // It came after them.
  await web.get('');
  const answers = sockets.map(socket => once(socket, 'data'));
  for (const socket of sockets) socket.write('GET /api/samples?vm=DSM HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
  for (const [answer] of await Promise.all(answers)) expect(String(answer)).toContain('200 OK');
});

test('what cannot be told says why; another path, method or number is no failure', async () => {
  await using web = await startWeb({ vms: [vmConfig({ commands: ['start'] })] });
  const said = async (path: string) => {
    const answer = await web.get(path);
    return { status: answer.status, ...((await answer.json()) as object) };
  };
  expect(await said('api/screen?vm=DSM')).toMatchObject({
    status: 409,
    message: expect.stringContaining('screenshot'),
  });
  expect(await said('api/plan?vm=DSM')).toMatchObject({ status: 409 });
  expect(await said('api/dump')).toMatchObject({ status: 409 });
  expect(await said('api/samples?vm=nobody')).toEqual({ status: 404, message: "there is no VM 'nobody' here" });
  expect(await said('api/samples?vm=DSM&hours=9999999')).toMatchObject({ status: 200, at: expect.any(Array) });
  expect(await said('api/record?vm=DSM&days=-1')).toMatchObject({ status: 200, lines: expect.any(Array) });
  for (const path of ['../package.json', '..%2fpackage.json', 'app.js/../../package.json', 'api', '%00', 'config.yaml'])
    expect((await web.get(path)).status).toBe(404);
  expect((await web.get('api/command?vm=DSM')).status).toBe(405);
});

test('a screen is shown only where a screenshot is allowed, and one picture serves all who ask', async () => {
  await using web = await startWeb({ vms: [vmConfig({ commands: ['screenshot'] })] });
  expect((await web.get('api/screen?vm=DSM')).status).toBe(409);
  web.daemon.domain('DSM').start();
  await state(web.seen, ({ power }) => power === 'ON');
  const before = web.daemon.callsOf('domainScreenshot').length;
  await eventually(async () => {
    const answers = await Promise.all([1, 2, 3].map(() => web.get('api/screen?vm=DSM')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(answers[0]?.headers.get('content-type')).toBe('image/png');
  });
  expect(web.daemon.callsOf('domainScreenshot').length - before).toBeLessThanOrEqual(1);
});

test('with a token: nothing without it, a login gives a cookie, another page’s request does nothing', async () => {
  await using web = await startWeb({ web: { token } });
  const paths = ['api/live', 'api/samples?vm=DSM', 'api/record?vm=DSM', 'api/dump', 'api/screen?vm=DSM'];
  for (const path of paths) expect((await web.get(path)).status).toBe(401);
  expect((await web.post('api/command?vm=DSM', { command: 'start' })).status).toBe(401);
  const login = await web.post('api/login', { token });
  expect(login.status).toBe(204);
  const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
  expect((await web.get('api/samples?vm=DSM', { cookie })).status).toBe(200);
  const foreign = { ...page, cookie, origin: 'http://evil.example' };
  expect((await web.post('api/command?vm=DSM', { command: 'start' }, foreign)).status).toBe(403);
  const form = { cookie, 'content-type': 'text/plain' };
  expect((await web.post('api/command?vm=DSM', { command: 'start' }, form)).status).toBe(403);
  expect(web.daemon.domain('DSM').active).toBe(false);
  for (const wrong of ['1', '2', '3', '4', '5']) await web.post('api/login', { token: wrong });
  const closed = await web.post('api/login', { token });
  expect([closed.status, await closed.json()]).toMatchObject([429, { seconds: expect.any(Number) }]);
});

test('the page’s files: headers, unchanged ones are not sent again, none asks for another host', async () => {
  await using web = await startWeb();
  const answer = await web.get('');
  if (answer.status === 503) {
    expect(await answer.text()).toContain('npm run build');
    return;
  }
  const policy = answer.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain('unsafe');
  const tag = answer.headers.get('etag') ?? '';
  expect((await web.get('', { 'if-none-match': tag })).status).toBe(304);
});

test('two hundred pages, ten thousand malformed requests: the bridge does its work', async () => {
  await using web = await startWeb();
  const pages = await Promise.all(Array.from({ length: 200 }, () => listen(web.root)));
  const { port } = web.listen;
  const bad = [
    'GET / HTTP/9\r\n\r\n',
    '\0\r\n\r\n',
    'POST /api/command HTTP/1.1\r\ncontent-length: x\r\n\r\n',
    '{}\r\n\r\n',
  ];
  const send = (text: string) =>
    new Promise<void>(resolve => {
      const socket = connect(port, '127.0.0.1')
        .on('error', () => {})
        .on('close', () => resolve());
      socket.resume().end(text);
    });
  for (let i = 0; i < 100; i++) await Promise.all(Array.from({ length: 100 }, (_, j) => send(bad[j % 4] ?? '')));
  web.daemon.domain('DSM').start();
  await Promise.all(pages.map(each => each.take({ vm: 'DSM', state: expect.objectContaining({ power: 'ON' }) })));
  for (const each of pages) each[Symbol.dispose]();
}, 120_000);

test('at the bridge’s end its pages end, too', async () => {
  const web = await startWeb();
  using live = await listen(web.root);
  await live.take({ vm: 'DSM' });
  await web[Symbol.asyncDispose]();
  await live.ended;
});
