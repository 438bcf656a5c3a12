/** One socket and one query for all who want to know; and each gets its own answer, or is told why there is none. */
import { execFile } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Findhost, type FindhostOptions, type Question } from '../../../src/checks/findhost/client.ts';
import { encodeReply, Findhostd, type ListenOptions, type Mode } from '../../fakes/dsm/findhostd.ts';

const spacing = 5_000;
const timeout = 5_000;
const nobody = '52:54:00:00:00:00';

const closing: (() => Promise<unknown>)[] = [];
// The network is real, the time is not.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(async () => {
  await Promise.all(closing.splice(0).map(close => close()));
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

async function listen(options: Partial<ListenOptions> = {}): Promise<Findhostd> {
  const nas = await Findhostd.listen({ address: ownAddress(), ...options });
  closing.push(() => nas.close());
  return nas;
}

function open(port: number, options: FindhostOptions = {}): Findhost {
  const client = new Findhost({ port, spacing, broadcasts: () => [], ...options });
  closing.push(() => client.close());
  return client;
}

async function start(nasOptions: Partial<ListenOptions> = {}, options: FindhostOptions = {}) {
  const nas = await listen(nasOptions);
  return { nas, client: open(nas.port, options) };
}

/** By the MAC of the fake, and where it is. */
function about(nas: Findhostd, question: Partial<Question> = {}): Question {
  const macs = nas.fields.mac === null ? [] : [nas.fields.mac];
  return { macs, addresses: [nas.address], timeout, signal: new AbortController().signal, ...question };
}

/** One that nobody else has in 127/8. */
function ownAddress(): string {
  const part = () => 2 + Math.floor(Math.random() * 250);
  return `127.${part()}.${part()}.${part()}`;
}

/** Asks and gives up, so that the next one finds a query that was sent just now. */
async function askInVain(client: Findhost, nas: Findhostd, patience = 1_000): Promise<void> {
  const found = client.find(about(nas, { timeout: patience }));
  await nas.asked.take();
  vi.advanceTimersByTime(patience);
  expect(await found).toEqual({ kind: 'silence' });
}

describe('who is found', () => {
  test('a device by its MAC', async () => {
    const { nas, client } = await start({ mac: '52:54:00:aa:bb:cc', name: 'vault' });
    expect(await client.find(about(nas))).toMatchObject({
      ...{ kind: 'heard', from: nas.address, ms: 0 },
      packet: { mac: '52:54:00:aa:bb:cc', identity: { name: 'vault', address: nas.address } },
    });
  });

  test.each([null, '00:11:32:00:00:01'])('a device by where it answers from, whose MAC is %s', async mac => {
    const { nas, client } = await start({ mac });
    expect(await client.find(about(nas, { macs: [nobody] }))).toMatchObject({ kind: 'heard', packet: { mac } });
  });

  test('not another one that answers', async () => {
    const { nas, client } = await start({ mode: 'slow' });
    const found = client.find(
      about(nas, { macs: [nobody], addresses: ['127.0.0.1', nas.address.replace('127', '10')] }),
    );
    const other = client.find(about(nas));
    await nas.asked.take();
    nas.answer();
    expect(await other).toMatchObject({ kind: 'heard' });
    vi.advanceTimersByTime(timeout);
    expect(await found).toEqual({ kind: 'silence' });
  });

  test('a device by its MAC before another one that has its address by now', async () => {
    const { nas, client } = await start({ mac: '52:54:00:00:00:01' });
    const second = await listen({ port: nas.port, mac: '52:54:00:00:00:02', mode: 'slow' });
    const both = { macs: ['52:54:00:00:00:01'], addresses: [second.address] };
    const other = client.find(about(second));
    await client.find(about(nas));
    await second.asked.take();
    second.answer();
    await other;
    expect(await client.find(about(nas, both))).toMatchObject({ kind: 'heard', from: nas.address });
  });

  test('a device that answered after a flood of others', async () => {
    const sockets: Socket[] = [];
    const { nas, client } = await start({ mode: 'slow' }, { socket: () => made(sockets) });
    await askInVain(client, nas);
    const say = (bytes: Buffer, from: string) =>
      sockets[0]?.emit('message', bytes, { address: from, family: 'IPv4', port: nas.port, size: bytes.length });
    for (let other = 0; other < 300; other++) say(encodeReply({ mac: nobody }), `10.0.${other >> 8}.${other & 255}`);
    say(encodeReply(nas.fields), nas.address);
    expect(await client.find(about(nas))).toMatchObject({ kind: 'heard', from: nas.address });
  });

  test.each<Mode>(['garbage', 'echo'])('a device after what is none: %s', async mode => {
    const { nas, client } = await start({ mode });
    expect(await client.find(about(nas))).toMatchObject({ kind: 'heard' });
  });

  test.each<Mode>(['half', 'silent'])('nobody: %s', async mode => {
    const { nas, client } = await start({ mode });
    const found = client.find(about(nas));
    await nas.asked.take();
    vi.advanceTimersByTime(timeout);
    expect(await found).toEqual({ kind: 'silence' });
  });

  test('a device besides our own question, which a broadcast brings back', async () => {
    const { nas, client } = await start({}, { broadcasts: () => ['127.255.255.255'] });
    expect(await client.find(about(nas))).toMatchObject({ kind: 'heard', from: nas.address });
  });
});

describe('when is asked', () => {
  test('once for all who ask together, and each gets its own', async () => {
    const { nas, client } = await start({ mac: '52:54:00:00:00:01' });
    const second = await listen({ port: nas.port, mac: '52:54:00:00:00:02' });
    const questions = Array.from({ length: 20 }, (_, index) => about(index % 2 === 0 ? nas : second));
    const found = await Promise.all(questions.map(question => client.find(question)));
    expect(found.map(answer => answer.kind === 'heard' && answer.packet.mac)).toEqual(
      questions.map(({ macs }) => macs[0]),
    );
    expect([nas, second].map(({ asked }) => asked.all.length)).toEqual([1, 1]);
  });

  test('not again within the spacing: what was heard meanwhile counts, and then no more', async () => {
    const { nas, client } = await start();
    const first = await client.find(about(nas));
    vi.advanceTimersByTime(spacing - 1);
    expect(await client.find(about(nas))).toEqual(first);
    expect(nas.asked.all).toHaveLength(1);
    vi.advanceTimersByTime(1);
    nas.mode = 'silent';
    const found = client.find(about(nas));
    await nas.asked.take();
    await nas.asked.take();
    vi.advanceTimersByTime(timeout);
    expect(await found).toEqual({ kind: 'silence' });
  });

  test('who comes after a query shares its answers', async () => {
    const { nas, client } = await start({ mode: 'slow' });
    await askInVain(client, nas, 1_000);
    vi.advanceTimersByTime(1_000);
    const found = client.find(about(nas));
    nas.answer();
    expect(await found).toMatchObject({ kind: 'heard', ms: 2_000 });
    expect(nas.asked.all).toHaveLength(1);
  });

  test('who comes too late for its answers gets those to the next', async () => {
    const { nas, client } = await start({ mode: 'slow' });
    await askInVain(client, nas, 4_000);
    const found = client.find(about(nas));
    await settled();
    vi.advanceTimersByTime(1_000);
    await nas.asked.take();
    vi.advanceTimersByTime(3_300);
    nas.answer();
    expect(await found).toMatchObject({ kind: 'heard', ms: 3_300 });
    expect(nas.asked.all).toHaveLength(2);
  });

  test('again while somebody waits, and not when nobody does', async () => {
    const { nas, client } = await start({ mode: 'silent' });
    const found = client.find(about(nas, { timeout: 2.5 * spacing }));
    for (let query = 0; query < 3; query++) {
      await nas.asked.take();
      await vi.advanceTimersByTimeAsync(spacing);
    }
    expect(await found).toEqual({ kind: 'silence' });
    vi.advanceTimersByTime(10 * spacing);
    nas.mode = 'prompt';
    await client.find(about(nas));
    expect(nas.asked.all).toHaveLength(4);
  });

  test('those who were named before are asked as well, for who has to share the query', async () => {
    const { nas, client } = await start();
    const second = await listen({ port: nas.port, mac: '52:54:00:00:00:02' });
    await client.find(about(nas));
    vi.advanceTimersByTime(spacing);
    await client.find(about(second));
    expect([nas, second].map(({ asked }) => asked.all.length)).toEqual([2, 1]);
  });

  test('an address that cannot be asked keeps nobody from being found', async () => {
    const { nas, client } = await start({}, { broadcasts: () => ['::1'] });
    expect(await client.find(about(nas, { addresses: ['nonsense', '::1', nas.address] }))).toMatchObject({
      kind: 'heard',
    });
  });
});

describe('when it ends early', () => {
  test('who gives up is rejected at once, and others are not', async () => {
    const { nas, client } = await start({ mode: 'slow' });
    const abort = new AbortController();
    const given = client.find(about(nas, { signal: abort.signal }));
    const other = client.find(about(nas));
    await nas.asked.take();
    abort.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    await expect(client.find(about(nas, { signal: abort.signal }))).rejects.toThrow('enough');
    nas.answer();
    expect(await other).toMatchObject({ kind: 'heard' });
  });

  test('closed, it tells who waits and who comes, as often as it is closed', async () => {
    const { nas, client } = await start({ mode: 'silent' });
    const found = client.find(about(nas));
    await nas.asked.take();
    await Promise.all([client.close(), client.close()]);
    const closed = { kind: 'unavailable', reason: 'it was closed' };
    expect(await found).toEqual(closed);
    expect(await client.find(about(nas))).toEqual(closed);
    await client.close();
  });

  test('closed while it opens', async () => {
    const { nas, client } = await start();
    const found = client.find(about(nas));
    await client.close();
    expect(await found).toEqual({ kind: 'unavailable', reason: 'it was closed' });
    expect(nas.asked.all).toEqual([]);
  });

  test('it keeps no process alive, but for who waits', async () => {
    vi.useRealTimers();
    const nas = await listen({ mode: 'silent' });
    const program = `
      import { Findhost } from ${JSON.stringify(new URL('../../../src/checks/findhost/client.ts', import.meta.url).href)};
      const client = new Findhost({ port: ${nas.port}, broadcasts: () => [] });
      const question = { macs: [], addresses: ['${nas.address}'], timeout: 50, signal: new AbortController().signal };
      console.log((await client.find(question)).kind);`;
    const started = performance.now();
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
    expect(stdout).toBe('silence\n');
    expect(nas.asked.all).toHaveLength(1);
    expect(performance.now() - started).toBeLessThan(spacing);
    vi.useFakeTimers();
  });
});

describe('when its port is trouble', () => {
  test('another program has it to itself, and then no more', async () => {
    const taken = createSocket('udp4');
    taken.bind(0, '0.0.0.0');
    await once(taken, 'listening');
    const { port } = taken.address();
    const client = open(port);
    const question = { macs: [nobody], addresses: [], timeout, signal: new AbortController().signal };
    expect(await client.find(question)).toEqual({
      kind: 'unavailable',
      reason: `another program on this machine has UDP port ${port} to itself`,
    });
    taken.close();
    await once(taken, 'close');
    const nas = await listen({ port });
    expect(await client.find(about(nas))).toMatchObject({ kind: 'heard' });
  });

  test.each([
    ['EACCES', 'this user may not listen at UDP port 9999'],
    ['ENOBUFS', 'UDP port 9999 cannot be listened at (ENOBUFS)'],
  ])('it may not be opened: %s', async (code, reason) => {
    const socket = createSocket('udp4');
    socket.bind = () => {
      queueMicrotask(() => socket.emit('error', Object.assign(new Error(code), { code })));
      return socket;
    };
    const client = open(9999, { socket: () => socket });
    const question = { macs: [nobody], addresses: [], timeout, signal: new AbortController().signal };
    expect(await client.find(question)).toEqual({ kind: 'unavailable', reason });
  });

  test('a socket that breaks is replaced, by the next query for who waits, and by the next question', async () => {
    const sockets: Socket[] = [];
    const { nas, client } = await start({ mode: 'slow' }, { socket: () => made(sockets) });
    const found = client.find(about(nas, { timeout: 2 * spacing }));
    await nas.asked.take();
    sockets[0]?.emit('error', new Error('broken'));
    vi.advanceTimersByTime(spacing);
    await nas.asked.take();
    nas.answer();
    expect(await found).toMatchObject({ kind: 'heard' });
    expect(sockets).toHaveLength(2);
    sockets[1]?.emit('error', new Error('broken'));
    nas.mode = 'prompt';
    vi.advanceTimersByTime(spacing);
    expect(await client.find(about(nas))).toMatchObject({ kind: 'heard' });
    expect(sockets).toHaveLength(3);
  });
});

/** A question that has gone as far as it can without news. */
function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

function made(sockets: Socket[]): Socket {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  sockets.push(socket);
  return socket;
}
