import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Connection } from '../../src/libvirt/connection.ts';
import { ConnectionLost, ProtocolError } from '../../src/libvirt/errors.ts';
import { type DomainEvent, domainEvents } from '../../src/libvirt/events.ts';
import { frameType, keepaliveProgram } from '../../src/libvirt/frame.ts';
import { procedures } from '../../src/libvirt/procedures.ts';
import { text } from '../../src/libvirt/structs.ts';
import { none } from '../../src/libvirt/xdr.ts';
import { connected, frameOf } from './peer.ts';

const { connectGetHostname: hostname, domainCreateWithFlags: create } = procedures;
const domain = { name: 'DSM', uuid: '186682f9-0f0b-4a9e-867b-364706339405', id: 1 };
const ping = 1;
const pong = 2;

function closing(connection: ReturnType<typeof connected>['connection']): Promise<Error | null> {
  return new Promise(resolve => connection.once('closed', resolve));
}

function lifecycle(event: number, detail: number): Buffer {
  const { procedure, codec } = domainEvents.lifecycle;
  return frameOf({ procedure, type: frameType.message }, codec, { callbackId: 0, domain, event, detail });
}

test('events come before the reply that they belong to', async () => {
  const { connection, peer } = connected();
  const story: string[] = [];
  connection.on('event', event => story.push(event.name));
  const call = connection.call(create, { domain: { ...domain, id: -1 }, flags: 0 }).then(() => story.push('reply'));
  const { serial } = await peer.frame(1);
  const reply = frameOf({ type: frameType.reply, procedure: create.number, serial }, create.reply, { domain });
  peer.stream.write(Buffer.concat([lifecycle(4, 0), lifecycle(2, 0), reply]));
  await call;
  expect(story).toEqual(['lifecycle', 'lifecycle', 'reply']);
  void connection.close();
});

test('a message of a kind that nobody knows yet is ignored', async () => {
  const { connection, peer } = connected();
  const events: DomainEvent[] = [];
  connection.on('event', event => events.push(event));
  peer.send({ procedure: 999, type: frameType.message }, text, 'from the future');
  const call = connection.call(hostname, undefined);
  peer.reply(await peer.frame(1), hostname, { hostname: 'nas' });
  await call;
  expect(events).toEqual([]);
  void connection.close();
});

describe('keepalive', () => {
  const keepalive = { interval: 1_000, count: 3 };

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('the daemon’s ping is answered at once', async () => {
    const { connection, peer } = connected({ keepalive });
    peer.keepalive(ping);
    expect(await peer.frame(1)).toMatchObject({
      program: keepaliveProgram.number,
      version: 1,
      procedure: pong,
      type: frameType.message,
      serial: 0,
      status: 0,
    });
    void connection.close();
  });

  test('a silent daemon is pinged, and given up after the count', async () => {
    const { connection, peer } = connected({ keepalive });
    const closed = closing(connection);
    vi.advanceTimersByTime(4_000);
    for (const nth of [1, 2, 3]) expect(await peer.frame(nth)).toMatchObject({ procedure: ping });
    vi.advanceTimersByTime(1_000);
    expect(await closed).toBeInstanceOf(ConnectionLost);
    expect(peer.frames.length).toBe(3);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('one that answers is kept for ever', async () => {
    const { connection, peer } = connected({ keepalive });
    const closed = vi.fn();
    connection.on('closed', closed);
    for (let pings = 1; pings <= 10; pings++) {
      while (peer.frames.length < pings) {
        vi.advanceTimersByTime(1_000);
        await new Promise(setImmediate);
      }
      peer.keepalive(pong);
      await new Promise(setImmediate);
    }
    expect(closed).not.toHaveBeenCalled();
    void connection.close();
  });

  test('one that is heard otherwise is not pinged', async () => {
    const { connection, peer } = connected({ keepalive });
    for (let i = 0; i < 10; i++) {
      peer.stream.write(lifecycle(2, 0));
      await new Promise(setImmediate);
      vi.advanceTimersByTime(1_000);
    }
    expect(peer.frames).toEqual([]);
    void connection.close();
  });
});

describe('the end', () => {
  test.each([
    ['the daemon hangs up', (peer: ReturnType<typeof connected>['peer']) => peer.stream.end()],
    ['the stream breaks', (peer: ReturnType<typeof connected>['peer']) => peer.stream.destroy()],
  ])('%s', async (_, end) => {
    const { connection, peer } = connected();
    const closed = closing(connection);
    const call = expect(connection.call(hostname, undefined)).rejects.toMatchObject({
      name: 'ConnectionLost',
      sent: true,
    });
    await peer.frame(1);
    end(peer);
    await call;
    expect(await closed).toBeInstanceOf(ConnectionLost);
    await expect(connection.call(hostname, undefined)).rejects.toMatchObject({ name: 'ConnectionLost', sent: false });
  });

  test('by us: told once, with no cause, and calls under way are lost', async () => {
    const { connection, peer } = connected();
    const told: (Error | null)[] = [];
    connection.on('closed', cause => told.push(cause));
    const call = expect(connection.call(hostname, undefined)).rejects.toMatchObject({
      name: 'ConnectionLost',
      sent: true,
    });
    await peer.frame(1);
    void connection.close();
    void connection.close();
    await call;
    expect(told).toEqual([null]);
  });

  test('by a listener: nothing more is told, though it came in the same chunk', async () => {
    const { connection, peer } = connected();
    const told: string[] = [];
    connection.on('event', event => {
      if (event.name === 'lifecycle') told.push(`${event.event}`);
      void connection.close();
    });
    const closed = closing(connection);
    peer.stream.write(Buffer.concat([lifecycle(4, 0), lifecycle(2, 0)]));
    expect(await closed).toBe(null);
    expect(told).toEqual(['4']);
  });

  test('closed while a call is under way: the stream ends when the daemon has answered, and nothing else is heard', async () => {
    const { connection, peer } = connected();
    const heard = vi.fn();
    connection.on('event', heard);
    const left = new Promise(resolve => peer.stream.once('end', () => resolve('left')));
    const refused = expect(connection.call(hostname, undefined)).rejects.toMatchObject({ sent: true });
    const asked = await peer.frame(1);
    const closed = connection.close();
    await refused;
    await expect(connection.call(hostname, undefined)).rejects.toMatchObject({ sent: false });
    peer.stream.write(lifecycle(2, 0));
    expect(await Promise.race([left, new Promise(resolve => setImmediate(resolve, 'there'))])).toBe('there');
    peer.reply(asked, hostname, { hostname: 'nas' });
    await Promise.all([closed, left]);
    expect(heard).not.toHaveBeenCalled();
    expect(peer.frames.length).toBe(1);
  });

  test('closed while a call is under way, and the daemon hangs up instead', async () => {
    const { connection, peer } = connected();
    connection.call(hostname, undefined).catch(() => {});
    await peer.frame(1);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const closed = connection.close();
      peer.stream.end();
      await closed;
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test('on a stream that never says that it has ended', async () => {
    const silent = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done(), emitClose: false });
    const connection = new Connection(silent).start();
    await connection.close();
    await connection.close();
    expect(silent.destroyed).toBe(true);
  });

  test('closed while the daemon hangs: the stream ends within a second or so', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const { connection, peer } = connected();
      connection.call(hostname, undefined).catch(() => {});
      await peer.frame(1);
      const closed = connection.close();
      vi.advanceTimersByTime(1_000);
      await closed;
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('bytes that are not the protocol close it, and all that waits fails', () => {
  const junk: [string, Buffer][] = [
    ['a length below a header’s', Buffer.from('0000001b', 'hex')],
    ['a length of 2 GiB', Buffer.from('80000000', 'hex')],
    ['another program', frameOf({ program: 0x20008087, type: frameType.reply }, none, undefined)],
    ['another version', frameOf({ version: 2, type: frameType.reply }, none, undefined)],
    ['a reply to nothing', frameOf({ type: frameType.reply, serial: 99 }, none, undefined)],
    ['an event that does not decode', frameOf({ procedure: 318, type: frameType.message }, text, 'x')],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ];

  test.each(junk)('%s', async (_, bytes) => {
    const { connection, peer } = connected();
    const closed = closing(connection);
    const call = expect(connection.call(hostname, undefined)).rejects.toBeInstanceOf(ConnectionLost);
    await peer.frame(1);
    peer.stream.write(bytes);
    expect(await closed).toBeInstanceOf(ProtocolError);
    await call;
    await expect(connection.call(hostname, undefined)).rejects.toMatchObject({ sent: false });
  });
});
