/** What a call brings beside its reply, and how it is ended early. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { ConnectionLost, LimitError, ProtocolError } from '../../src/libvirt/errors.ts';
import { type Frame, frameStatus, frameType, headerBytes, remoteProgram } from '../../src/libvirt/frame.ts';
import { procedures } from '../../src/libvirt/procedures.ts';
import { Collector, type Sink, streamHole } from '../../src/libvirt/stream.ts';
import { XdrWriter } from '../../src/libvirt/xdr.ts';
import { rawFrame } from '../fakes/libvirtd/stream.ts';
import { connected, type Peer } from './peer.ts';
import { recording, releases } from './recordings.ts';

const { domainScreenshot: screenshot, connectGetHostname: hostname } = procedures;
const domain = { name: 'DSM', uuid: '186682f9-0f0b-4a9e-867b-364706339405', id: 1 };
const args = { domain, screen: 0, flags: 0 };
const { ok, error, continue: more } = frameStatus;

/** The daemon's side of one stream, played by hand. */
class Played {
  readonly #peer: Peer;
  readonly call: Frame;

  constructor(peer: Peer, call: Frame) {
    this.#peer = peer;
    this.call = call;
  }

  reply(mime: string | null = 'image/png'): void {
    this.#peer.reply(this.call, screenshot, { mime });
  }

  packet(status: number, payload: Buffer | string = '', type: number = frameType.stream): void {
    const { serial, procedure } = this.call;
    const header = { program: remoteProgram.number, version: remoteProgram.version, procedure, type, serial, status };
    this.#peer.stream.write(rawFrame(header, Buffer.from(payload)));
  }

  fail(code: number): void {
    this.#peer.fail(this.call, code);
  }

  hole(length: number): void {
    const writer = new XdrWriter();
    streamHole.encode(writer, { length, flags: 0 });
    this.packet(more, writer.finish(), frameType.streamHole);
  }
}

async function setUp({ limit = 1_000, maxInFlight = 4, ...options }: Record<string, unknown> = {}) {
  const { connection, peer } = connected({ maxInFlight: maxInFlight as number });
  const sink = new Collector(limit as number);
  const read = connection.read(screenshot, args, sink, options);
  // Whoever looks at it looks later.
  read.catch(() => {});
  const played = new Played(peer, await peer.frame(1));
  const answered = new Set<Frame>();
  /** Another call is answered: all that was sent before has been dealt with. */
  const roundTrip = async () => {
    const answer = connection.call(hostname, undefined);
    let call: Frame | undefined;
    for (let nth = 1; call === undefined; nth++) {
      const frame = await peer.frame(nth);
      if (frame.procedure === hostname.number && !answered.has(frame)) call = frame;
    }
    answered.add(call);
    peer.reply(call, hostname, { hostname: 'nas' });
    return answer;
  };
  /** What we said of the stream. */
  const said = () => peer.frames.filter(({ type }) => type === frameType.stream).map(({ status }) => status);
  return { connection, peer, sink, read, played, roundTrip, said, [Symbol.dispose]: () => connection.close() };
}

describe('read to its end', () => {
  test('reply, packets, an empty one; then OK both ways', async () => {
    using it = await setUp();
    it.played.reply('image/png');
    it.played.packet(more, 'some ');
    it.played.packet(more, 'bytes');
    await it.roundTrip();
    expect(it.said()).toEqual([]);
    it.played.packet(more);
    const { payload: _, ...header } = await it.peer.frame(3);
    expect(header).toEqual({
      program: remoteProgram.number,
      version: 1,
      procedure: screenshot.number,
      type: frameType.stream,
      serial: it.played.call.serial,
      status: ok,
    });
    it.played.packet(ok);
    expect(await it.read).toEqual({ mime: 'image/png' });
    expect(it.sink.bytes.toString()).toBe('some bytes');
  });

  test('it is not there before the daemon has confirmed', async () => {
    using it = await setUp();
    const settled = vi.fn();
    it.read.then(settled, settled);
    it.played.reply();
    it.played.packet(more);
    await it.roundTrip();
    expect(settled).not.toHaveBeenCalled();
    it.played.packet(ok);
    await it.read;
  });

  test('packets may overtake the reply, and nothing is said of the stream before that', async () => {
    using it = await setUp();
    it.played.packet(more, 'early');
    it.played.packet(more);
    await it.roundTrip();
    expect(it.said()).toEqual([]);
    it.played.reply(null);
    it.played.packet(ok);
    expect(await it.read).toEqual({ mime: null });
    expect(it.sink.bytes.toString()).toBe('early');
  });

  test('holes are zeros', async () => {
    using it = await setUp();
    it.played.reply();
    it.played.packet(more, 'a');
    it.played.hole(3);
    it.played.packet(more, 'b');
    it.played.hole(2);
    it.played.packet(more);
    it.played.packet(ok);
    await it.read;
    expect(it.sink.bytes).toEqual(Buffer.from('a\0\0\0b\0\0'));
  });

  test.each(releases)('as the official client does with libvirt %s', async release => {
    const frames = recording(release).filter(({ procedure }) => procedure === screenshot.number);
    const theirs = frames.filter(({ from, type }) => from === 'client' && type === frameType.stream);
    using it = await setUp({ limit: 2 ** 20 });
    it.played.reply();
    for (const { from, type, status, bytes } of frames) {
      if (from === 'server' && type === frameType.stream) it.played.packet(status, bytes.subarray(headerBytes));
    }
    await it.read;
    expect(it.sink.bytes.length).toBeGreaterThan(1_000);
    expect(it.said()).toEqual(theirs.map(({ status }) => status));
  });
});

describe('refused', () => {
  test('with the reply: there is no stream to end', async () => {
    using it = await setUp({ maxInFlight: 1 });
    it.peer.refuse(it.played.call, 55);
    await expect(it.read).rejects.toMatchObject({ name: 'LibvirtError', code: 55 });
    await it.roundTrip();
    expect(it.said()).toEqual([]);
  });

  test('in the middle: the daemon’s error, and ours in return, as it may still hold the stream', async () => {
    using it = await setUp({ maxInFlight: 1 });
    it.played.reply();
    it.played.packet(more, 'some');
    it.played.fail(38);
    await expect(it.read).rejects.toMatchObject({ name: 'LibvirtError', code: 38 });
    // Nobody may answer that, so nobody waits.
    await it.roundTrip();
    expect(it.said()).toEqual([error]);
    it.played.packet(more);
    it.played.packet(ok);
    await it.roundTrip();
  });

  test('before the reply, which is waited for', async () => {
    using it = await setUp({ maxInFlight: 1 });
    it.played.fail(38);
    await expect(it.read).rejects.toMatchObject({ code: 38 });
    const next = it.connection.call(hostname, undefined);
    it.played.reply();
    it.peer.reply(await it.peer.frame(3), hostname, { hostname: 'nas' });
    await next;
    expect(it.said()).toEqual([error]);
  });

  test('at the end: what came was not all', async () => {
    using it = await setUp();
    it.played.reply();
    it.played.packet(more, 'some');
    it.played.packet(more);
    it.played.fail(38);
    await expect(it.read).rejects.toMatchObject({ code: 38 });
    await it.roundTrip();
    expect(it.said()).toEqual([ok]);
  });
});

describe('given up', () => {
  test('above its limit: ERROR is said once, and what still comes is nobody’s', async () => {
    using it = await setUp({ limit: 10 });
    it.played.reply();
    it.played.packet(more, '12345678');
    it.played.packet(more, '901');
    await expect(it.read).rejects.toThrow(LimitError);
    it.played.packet(more, 'more');
    it.played.hole(5);
    it.played.packet(more);
    await it.roundTrip();
    expect(it.said()).toEqual([error]);
    it.played.packet(ok);
    await it.roundTrip();
    expect(it.sink.bytes.toString()).toBe('12345678');
  });

  test('when its sink throws: that error', async () => {
    const { connection, peer } = connected();
    const full: Sink = {
      data: () => {
        throw new Error('disk full');
      },
      hole: () => {},
    };
    const read = expect(connection.read(screenshot, args, full)).rejects.toThrow('disk full');
    const played = new Played(peer, await peer.frame(1));
    played.reply();
    played.packet(more, 'x');
    await read;
    expect(await peer.frame(2)).toMatchObject({ type: frameType.stream, status: error });
    connection.close();
  });

  test('by its deadline, though packets still come', async () => {
    using it = await setUp({ timeout: 20 });
    it.played.reply();
    it.played.packet(more, 'slow');
    await expect(it.read).rejects.toMatchObject({ name: 'TimeoutError', sent: true });
    expect((await it.peer.frame(2)).status).toBe(error);
  });

  test('by its signal', async () => {
    const controller = new AbortController();
    using it = await setUp({ signal: controller.signal });
    it.played.reply();
    it.played.packet(more, 'some');
    await it.roundTrip();
    controller.abort(new Error('enough'));
    await expect(it.read).rejects.toThrow('enough');
    await it.roundTrip();
    expect(it.said()).toEqual([error]);
  });

  test('before the reply: said only then, as the daemon would drop it', async () => {
    const controller = new AbortController();
    using it = await setUp({ signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(it.read).rejects.toThrow('enough');
    await it.roundTrip();
    expect(it.said()).toEqual([]);
    it.played.reply();
    it.played.packet(more, 'some');
    await it.roundTrip();
    expect(it.said()).toEqual([error]);
    expect(it.sink.bytes.length).toBe(0);
  });

  test('after its end: OK was said, and nothing else is', async () => {
    const controller = new AbortController();
    using it = await setUp({ signal: controller.signal });
    it.played.reply();
    it.played.packet(more);
    await it.roundTrip();
    controller.abort(new Error('enough'));
    await expect(it.read).rejects.toThrow('enough');
    it.played.packet(ok);
    await it.roundTrip();
    expect(it.said()).toEqual([ok]);
  });

  test('while queued: it is never asked', async () => {
    using it = await setUp({ maxInFlight: 1 });
    const queued = it.connection.read(screenshot, args, new Collector(1), { signal: AbortSignal.timeout(1) });
    await expect(queued).rejects.toThrow();
    it.peer.refuse(it.played.call, 55);
    await it.roundTrip();
    expect(it.peer.frames.filter(({ procedure }) => procedure === screenshot.number).length).toBe(1);
  });

  test('crossing the daemon’s own error: one of them is enough', async () => {
    using it = await setUp({ limit: 1, maxInFlight: 1 });
    it.played.reply();
    it.played.packet(more, 'too much');
    await expect(it.read).rejects.toThrow(LimitError);
    it.played.fail(38);
    await it.roundTrip();
    expect(it.said()).toEqual([error]);
  });
});

describe('the cap', () => {
  test('a stream keeps its place until OK', async () => {
    using it = await setUp({ maxInFlight: 1 });
    const next = it.connection.call(hostname, undefined);
    it.played.reply();
    it.played.packet(more);
    await it.peer.frame(2);
    expect(it.peer.frames.some(({ procedure }) => procedure === hostname.number)).toBe(false);
    it.played.packet(ok);
    it.peer.reply(await it.peer.frame(3), hostname, { hostname: 'nas' });
    await next;
  });

  test('one that was given up, until that is confirmed', async () => {
    using it = await setUp({ limit: 1, maxInFlight: 1 });
    const next = it.connection.call(hostname, undefined);
    it.played.reply();
    it.played.packet(more, 'too much');
    await expect(it.read).rejects.toThrow(LimitError);
    await it.peer.frame(2);
    expect(it.peer.frames.some(({ procedure }) => procedure === hostname.number)).toBe(false);
    it.played.packet(ok);
    it.peer.reply(await it.peer.frame(3), hostname, { hostname: 'nas' });
    await next;
  });
});

describe('the end of the connection', () => {
  test('in the middle of a stream', async () => {
    using it = await setUp();
    it.played.reply();
    it.played.packet(more, 'some');
    it.peer.stream.end();
    await expect(it.read).rejects.toMatchObject({ name: 'ConnectionLost', sent: true });
  });

  const junk: [string, (played: Played) => void][] = [
    ['OK before the end', played => played.packet(ok)],
    ['a hole without a length', played => played.packet(more, 'x', frameType.streamHole)],
    ['a hole that goes back', played => played.hole(-1)],
    ['an error that does not decode', played => played.packet(error, 'x')],
    ['a second reply', played => played.reply()],
  ];
  test.each(junk)('by %s', async (_, play) => {
    using it = await setUp();
    const closed = new Promise(resolve => it.connection.onceClosed(resolve));
    it.played.reply();
    play(it.played);
    await expect(it.read).rejects.toSatisfy(
      failure => failure instanceof ProtocolError || failure instanceof ConnectionLost,
    );
    expect(await closed).toBeInstanceOf(ProtocolError);
  });

  test('not by packets of a stream that nobody knows', async () => {
    using it = await setUp();
    const stranger = new Played(it.peer, { ...it.played.call, serial: 4_711 });
    for (const status of [more, ok, error]) stranger.packet(status, 'x');
    stranger.hole(1);
    await it.roundTrip();
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
