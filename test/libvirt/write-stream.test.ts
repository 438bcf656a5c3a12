/** What a call takes beside its arguments, and how it is ended early. */
import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { CallOptions } from '../../src/libvirt/calls.ts';
import { Connection } from '../../src/libvirt/connection.ts';
import { ConnectionLost } from '../../src/libvirt/errors.ts';
import { frameStatus, frameType, headerBytes, remoteProgram } from '../../src/libvirt/frame.ts';
import { procedures } from '../../src/libvirt/procedures.ts';
import { type Source, WriteStream } from '../../src/libvirt/write-stream.ts';
import { eventually } from '../eventually.ts';
import { Peer, streaming } from './peer.ts';
import { recording } from './recordings.ts';

const { storageVolUpload: upload, connectGetHostname: hostname } = procedures;
const volume = { pool: 'images', name: 'loader.img', key: '/images/loader.img' };
const args = { volume, offset: 0, length: 0, flags: 0 };
const { ok, error, continue: more } = frameStatus;
const packet = 65_536;

async function setUp(source: Source, options: CallOptions & { maxInFlight?: number } = {}) {
  const played = await streaming(upload, args, wire => new WriteStream(source, wire), options);
  const bytes = () => Buffer.concat(played.sent().map(({ payload }) => payload));
  return { ...played, bytes, reply: () => played.reply(undefined) };
}

describe('written to its end', () => {
  test('nothing before the reply; then packets, and OK both ways', async () => {
    using it = await setUp([Buffer.from('some '), Buffer.alloc(0), Buffer.from('bytes')]);
    await it.roundTrip();
    expect(it.said()).toEqual([]);
    it.reply();
    await it.peer.frame(5);
    expect(it.said()).toEqual([more, more, ok]);
    expect(it.bytes().toString()).toBe('some bytes');
    const { payload: _, ...header } = it.sent()[0] ?? it.call;
    expect(header).toEqual({
      program: remoteProgram.number,
      version: 1,
      procedure: upload.number,
      type: frameType.stream,
      serial: it.call.serial,
      status: more,
    });
    const settled = vi.fn();
    it.done.then(settled, settled);
    await it.roundTrip();
    expect(settled).not.toHaveBeenCalled();
    it.say(ok);
    await it.done;
  });

  test.each(['6.0.0', '9.0.0'] as const)('as the official client does with libvirt %s', async release => {
    const frames = recording(release).filter(({ procedure }) => procedure === upload.number);
    const theirs = frames.filter(({ from, type }) => from === 'client' && type === frameType.stream);
    const data = theirs.filter(({ status }) => status === more).map(({ bytes }) => bytes.subarray(headerBytes));
    using it = await setUp(data);
    it.reply();
    it.say(ok);
    await it.peer.frame(1 + theirs.length);
    expect(it.sent().map(({ status, payload }) => [status, payload.toString('hex')])).toEqual(
      theirs.map(({ status, bytes }) => [status, bytes.subarray(headerBytes).toString('hex')]),
    );
  });

  test('of any size, in packets of 64 KiB at most', async () => {
    const pieces = fc.array(fc.integer({ min: 0, max: 3 * packet }), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(pieces, async sizes => {
        const whole = Buffer.from(Array.from({ length: sizes.reduce((a, b) => a + b, 0) }, (_, i) => i % 251));
        let at = 0;
        const source = sizes.map(size => {
          at += size;
          return whole.subarray(at - size, at);
        });
        using it = await setUp(source);
        it.reply();
        await eventually(() => expect(it.said().at(-1)).toBe(ok), { interval: 1 });
        it.say(ok);
        await it.done;
        expect(it.bytes().equals(whole)).toBe(true);
        expect(Math.max(0, ...it.sent().map(({ payload }) => payload.length))).toBeLessThanOrEqual(packet);
      }),
      { numRuns: 30 },
    );
  });

  test('when a daemon says by an empty packet that nobody reads, its error is awaited', async () => {
    using it = await setUp(forever());
    it.reply();
    it.say(more);
    await it.roundTrip();
    it.peer.fail(it.call, 38);
    await expect(it.done).rejects.toMatchObject({ name: 'LibvirtError', code: 38 });
  });
});

describe('what the socket does not take', () => {
  /** A write that has begun, and whose peer reads no more. */
  async function stuck(source: Source) {
    const [ours, theirs] = duplexPair();
    const connection = new Connection(ours, {}).start();
    const write = connection.call(upload, args, {}, wire => new WriteStream(source, wire));
    write.catch(() => {});
    const peer = new Peer(theirs);
    peer.reply(await peer.frame(1), upload, undefined);
    await peer.frame(2);
    theirs.pause();
    await new Promise(resolve => setImmediate(resolve));
    return { connection, write, peer, ours, theirs };
  }

  test('is not made, and another call waits for one packet only', async () => {
    let made = 0;
    const source = function* () {
      for (;;) {
        made += 1;
        yield Buffer.alloc(packet);
      }
    };
    const { connection, write, peer, ours, theirs } = await stuck(source());
    const before = made;
    for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve));
    expect(made - before).toBeLessThanOrEqual(2);
    const queued = ours.writableLength;
    const { length } = peer.frames;
    const call = connection.call(hostname, undefined);
    expect(queued).toBeLessThanOrEqual(2 * (packet + headerBytes));
    theirs.resume();
    let nth = length + 1;
    while ((await peer.frame(nth)).procedure !== hostname.number) nth += 1;
    expect(nth - length).toBeLessThanOrEqual(3);
    peer.reply(await peer.frame(nth), hostname, { hostname: 'nas' });
    await call;
    void connection.close();
    await expect(write).rejects.toThrow(ConnectionLost);
  });

  test('waits no longer than the connection lives', async () => {
    const ended = vi.fn();
    const { connection, write } = await stuck(forever(ended, packet));
    void connection.close();
    await expect(write).rejects.toMatchObject({ name: 'ConnectionLost', sent: true });
    await eventually(() => expect(ended).toHaveBeenCalledOnce(), { interval: 1 });
  });
});

describe('refused', () => {
  test('in the middle: the daemon’s error, and its source is let go', async () => {
    const ended = vi.fn();
    using it = await setUp(forever(ended), { maxInFlight: 1 });
    it.reply();
    await it.peer.frame(3);
    it.peer.fail(it.call, 38);
    await expect(it.done).rejects.toMatchObject({ name: 'LibvirtError', code: 38 });
    await eventually(() => expect(ended).toHaveBeenCalledOnce(), { interval: 1 });
    await it.roundTrip();
    expect(it.said().filter(status => status !== more)).toEqual([error]);
  });

  test('at the end: what was sent is not all written', async () => {
    using it = await setUp([Buffer.from('x')]);
    it.reply();
    await it.peer.frame(3);
    it.peer.fail(it.call, 38);
    await expect(it.done).rejects.toMatchObject({ code: 38 });
    await it.roundTrip();
    expect(it.said()).toEqual([more, ok]);
  });
});

describe('given up', () => {
  test('when its source throws: that error, and ERROR', async () => {
    const source = function* () {
      yield Buffer.from('some');
      throw new Error('unreadable');
    };
    using it = await setUp(source(), { maxInFlight: 1 });
    it.reply();
    await expect(it.done).rejects.toThrow('unreadable');
    await it.peer.frame(3);
    expect(it.said()).toEqual([more, error]);
    // The call keeps its place until that is confirmed.
    const next = it.connection.call(hostname, undefined);
    expect(it.peer.frames.length).toBe(3);
    it.say(ok);
    it.peer.reply(await it.peer.frame(4), hostname, { hostname: 'nas' });
    await next;
  });

  test.each([
    ['its signal', () => ({ signal: AbortSignal.timeout(20) })],
    ['its deadline', () => ({ timeout: 20 })],
  ])('by %s, though its source has more', async (_, options) => {
    const ended = vi.fn();
    using it = await setUp(forever(ended), options());
    it.reply();
    await expect(it.done).rejects.toMatchObject({ name: 'TimeoutError' });
    await eventually(() => expect(ended).toHaveBeenCalledOnce(), { interval: 1 });
    await it.roundTrip();
    expect(it.said().at(-1)).toBe(error);
  });
});

describe('the end of the connection', () => {
  test('in the middle: the outcome is unknown', async () => {
    using it = await setUp(forever());
    it.reply();
    await it.peer.frame(3);
    it.peer.stream.destroy();
    await expect(it.done).rejects.toMatchObject({ name: 'ConnectionLost', sent: true });
  });
});

async function* forever(ended: () => void = () => {}, size = 1_000): AsyncGenerator<Buffer> {
  try {
    for (;;) {
      yield Buffer.alloc(size);
      await new Promise(resolve => setImmediate(resolve));
    }
  } finally {
    ended();
  }
}
