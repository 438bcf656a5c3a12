/** What a call brings beside its reply, and how it is ended early. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { CallOptions } from '../../src/libvirt/calls.ts';
import { ConnectionLost, LimitError, ProtocolError } from '../../src/libvirt/errors.ts';
import { frameStatus, frameType, headerBytes, remoteProgram } from '../../src/libvirt/frame.ts';
import { procedures } from '../../src/libvirt/procedures.ts';
import { Collector, ReadStream } from '../../src/libvirt/stream.ts';
import { streaming } from './peer.ts';
import { recording, releases } from './recordings.ts';

const { domainScreenshot: screenshot, connectGetHostname: hostname } = procedures;
const domain = { name: 'DSM', uuid: '186682f9-0f0b-4a9e-867b-364706339405', id: 1 };
const args = { domain, screen: 0, flags: 0 };
const { ok, error, continue: more } = frameStatus;

async function setUp({ limit = 1_000, ...options }: CallOptions & { maxInFlight?: number; limit?: number } = {}) {
  const sink = new Collector(limit);
  const played = await streaming(screenshot, args, wire => new ReadStream(sink, wire), options);
  return { ...played, sink, reply: (mime: string | null = 'image/png') => played.reply({ mime }) };
}
type Played = Awaited<ReturnType<typeof setUp>>;

describe('read to its end', () => {
  test('reply, packets, an empty one; then OK both ways, and it is not there before the daemon’s', async () => {
    using it = await setUp();
    const settled = vi.fn();
    it.done.then(settled, settled);
    it.reply();
    it.say(more, 'some ');
    it.say(more, 'bytes');
    await it.roundTrip();
    expect(it.said()).toEqual([]);
    it.say(more);
    const { payload: _, ...header } = await it.peer.frame(3);
    const { number: program, version } = remoteProgram;
    const { serial } = it.call;
    expect(header).toEqual({
      ...{ program, version, procedure: screenshot.number, type: frameType.stream, serial, status: ok },
    });
    await it.roundTrip();
    expect(settled).not.toHaveBeenCalled();
    it.say(ok);
    expect(await it.done).toEqual({ mime: 'image/png' });
    expect(it.sink.bytes.toString()).toBe('some bytes');
  });

  test('packets may overtake the reply, and nothing is said of the stream before that', async () => {
    using it = await setUp();
    it.say(more, 'early');
    it.say(more);
    await it.roundTrip();
    expect(it.said()).toEqual([]);
    it.reply(null);
    it.say(ok);
    expect(await it.done).toEqual({ mime: null });
    expect(it.sink.bytes.toString()).toBe('early');
  });

  test('holes are zeros', async () => {
    using it = await setUp();
    it.reply();
    it.say(more, 'a');
    it.hole(3);
    it.say(more, 'b');
    it.hole(2);
    it.say(more);
    it.say(ok);
    await it.done;
    expect(it.sink.bytes).toEqual(Buffer.from('a\0\0\0b\0\0'));
  });

  test.each(releases)('as the official client does with libvirt %s', async release => {
    const frames = recording(release).filter(({ procedure }) => procedure === screenshot.number);
    const theirs = frames.filter(({ from, type }) => from === 'client' && type === frameType.stream);
    using it = await setUp({ limit: 2 ** 20 });
    it.reply();
    for (const { from, type, status, bytes } of frames) {
      if (from === 'server' && type === frameType.stream) it.say(status, bytes.subarray(headerBytes));
    }
    await it.done;
    expect(it.sink.bytes.length).toBeGreaterThan(1_000);
    expect(it.said()).toEqual(theirs.map(({ status }) => status));
  });
});

describe('refused', () => {
  test('with the reply: there is no stream to end', async () => {
    using it = await setUp({ maxInFlight: 1 });
    it.peer.refuse(it.call, 55);
    await expect(it.done).rejects.toMatchObject({ name: 'LibvirtError', code: 55 });
    await it.roundTrip();
    expect(it.said()).toEqual([]);
  });

  test('in the middle: the daemon’s error, and ours in return, as it may still hold the stream', async () => {
    using it = await setUp({ maxInFlight: 1 });
    it.reply();
    it.say(more, 'some');
    it.fail(38);
    await expect(it.done).rejects.toMatchObject({ name: 'LibvirtError', code: 38 });
    // Nobody may answer that, so nobody waits.
    await it.roundTrip();
    it.say(more);
    it.say(ok);
    await it.roundTrip();
    expect(it.said()).toEqual([error]);
  });

  test('before the reply, which is waited for', async () => {
    using it = await setUp({ maxInFlight: 1 });
    it.fail(38);
    await expect(it.done).rejects.toMatchObject({ code: 38 });
    const next = it.roundTrip();
    it.reply();
    await next;
    expect(it.said()).toEqual([error]);
  });

  test('at the end: what came was not all', async () => {
    using it = await setUp();
    it.reply();
    it.say(more, 'some');
    it.say(more);
    it.fail(38);
    await expect(it.done).rejects.toMatchObject({ code: 38 });
    await it.roundTrip();
    expect(it.said()).toEqual([ok]);
  });
});

describe('given up', () => {
  test('above its limit: ERROR is said once, and what still comes is nobody’s', async () => {
    using it = await setUp({ limit: 10 });
    it.reply();
    it.say(more, '12345678');
    it.say(more, '901');
    await expect(it.done).rejects.toThrow(LimitError);
    it.say(more, 'more');
    it.hole(5);
    it.say(more);
    await it.roundTrip();
    it.say(ok);
    await it.roundTrip();
    expect(it.said()).toEqual([error]);
    expect(it.sink.bytes.toString()).toBe('12345678');
  });

  test('by its deadline, though packets still come', async () => {
    using it = await setUp({ timeout: 20 });
    it.reply();
    it.say(more, 'slow');
    await expect(it.done).rejects.toMatchObject({ name: 'TimeoutError', sent: true });
    expect((await it.peer.frame(2)).status).toBe(error);
  });

  test.each<[string, (it: Played) => void, number[]]>([
    ['in the middle: ERROR', it => it.say(more, 'some'), [error]],
    ['after its end: OK was said, and nothing else is', it => it.say(more), [ok]],
  ])('by its signal %s', async (_, play, said) => {
    const controller = new AbortController();
    using it = await setUp({ signal: controller.signal });
    it.reply();
    play(it);
    await it.roundTrip();
    controller.abort(new Error('enough'));
    await expect(it.done).rejects.toThrow('enough');
    it.say(ok);
    await it.roundTrip();
    expect(it.said()).toEqual(said);
  });

  test('before the reply: said only then, as the daemon would drop it', async () => {
    const controller = new AbortController();
    using it = await setUp({ signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(it.done).rejects.toThrow('enough');
    await it.roundTrip();
    expect(it.said()).toEqual([]);
    it.reply();
    it.say(more, 'some');
    await it.roundTrip();
    expect(it.said()).toEqual([error]);
    expect(it.sink.bytes.length).toBe(0);
  });

  test('while queued: it is never asked', async () => {
    using it = await setUp({ maxInFlight: 1 });
    const stream = vi.fn();
    const queued = it.connection.call(screenshot, args, { signal: AbortSignal.timeout(1) }, stream);
    await expect(queued).rejects.toThrow();
    it.peer.refuse(it.call, 55);
    await it.roundTrip();
    expect(stream).not.toHaveBeenCalled();
    expect(it.peer.frames.filter(({ procedure }) => procedure === screenshot.number)).toHaveLength(1);
  });

  test('crossing the daemon’s own error: one of them is enough', async () => {
    using it = await setUp({ limit: 1, maxInFlight: 1 });
    it.reply();
    it.say(more, 'too much');
    await expect(it.done).rejects.toThrow(LimitError);
    it.fail(38);
    await it.roundTrip();
    expect(it.said()).toEqual([error]);
  });
});

describe('the cap: a stream keeps its place', () => {
  test.each([
    ['until OK', ''],
    ['given up, until that is confirmed', 'too much'],
  ])('%s', async (_, payload) => {
    using it = await setUp({ limit: 1, maxInFlight: 1 });
    const next = it.roundTrip();
    it.reply();
    it.say(more, payload);
    await it.peer.frame(2);
    expect(it.peer.frames.some(({ procedure }) => procedure === hostname.number)).toBe(false);
    it.say(ok);
    await next;
  });
});

describe('the end of the connection', () => {
  test('in the middle of a stream', async () => {
    using it = await setUp();
    it.reply();
    it.say(more, 'some');
    it.peer.stream.end();
    await expect(it.done).rejects.toMatchObject({ name: 'ConnectionLost', sent: true });
  });

  test('by us: the daemon is told to stop, and heard until it confirms', async () => {
    using it = await setUp();
    it.reply();
    it.say(more, 'some');
    await it.roundTrip();
    const closed = it.connection.close();
    await expect(it.done).rejects.toMatchObject({ name: 'ConnectionLost', sent: true });
    await it.peer.frame(3);
    expect(it.said()).toEqual([error]);
    it.say(more, 'late');
    it.say(ok);
    await closed;
    expect(it.sink.bytes.toString()).toBe('some');
  });

  test.each<[string, (it: Played) => void]>([
    ['OK before the end', it => it.say(ok)],
    ['a hole without a length', it => it.say(more, 'x', frameType.streamHole)],
    ['a hole that goes back', it => it.hole(-1)],
    ['an error that does not decode', it => it.say(error, 'x')],
    ['a second reply', it => it.reply()],
  ])('by %s', async (_, play) => {
    using it = await setUp();
    const closed = new Promise(resolve => it.connection.onceClosed(resolve));
    it.reply();
    play(it);
    await expect(it.done).rejects.toSatisfy(
      failure => failure instanceof ProtocolError || failure instanceof ConnectionLost,
    );
    expect(await closed).toBeInstanceOf(ProtocolError);
  });

  test('not by packets of a stream that nobody knows', async () => {
    using it = await setUp();
    for (const status of [more, ok, error]) it.say(status, 'x', frameType.stream, 4_711);
    it.say(more, 'x', frameType.streamHole, 4_711);
    await it.roundTrip();
    expect(it.said()).toEqual([]);
  });
});

describe('collecting', () => {
  test('packets and holes of any size come out in order, in no more than the limit', () => {
    const piece = fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.integer({ min: 0, max: 50 }));
    fc.assert(
      fc.property(fc.array(piece), fc.nat(500), (pieces, limit) => {
        const collector = new Collector(limit);
        let expected = Buffer.alloc(0);
        for (const each of pieces) {
          const bytes = typeof each === 'number' ? Buffer.alloc(each) : Buffer.from(each);
          const take = () => (typeof each === 'number' ? collector.hole(each) : collector.data(bytes));
          if (expected.length + bytes.length > limit) {
            expect(take).toThrow(LimitError);
            return;
          }
          take();
          expected = Buffer.concat([expected, bytes]);
          expect(collector.bytes).toEqual(expected);
        }
      }),
    );
  });

  test('a megabyte of single bytes is copied a few times at most, and never held thrice', () => {
    const collector = new Collector(2 ** 20);
    const alloc = vi.spyOn(Buffer, 'alloc');
    try {
      for (let i = 0; i < 2 ** 20; i++) collector.data(Buffer.of(i));
      const sizes = alloc.mock.calls.map(([size]) => size);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(2 * 2 ** 20);
      expect(Math.max(...sizes)).toBe(2 ** 20);
    } finally {
      alloc.mockRestore();
    }
    expect(collector.bytes.length).toBe(2 ** 20);
  });

  test('a hole of the size of the world is refused before it is made', () => {
    expect(() => new Collector(1_000).hole(Number.MAX_SAFE_INTEGER)).toThrow(LimitError);
  });
});
