/** What real daemons and the official client said to each other, through our codecs and back. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { domainEvents, eventByProcedure } from '../../src/libvirt/events.ts';
import {
  encodeFrame,
  FrameDecoder,
  frameStatus,
  frameType,
  headerBytes,
  keepaliveProgram,
  remoteProgram,
} from '../../src/libvirt/frame.ts';
import { type Procedure, procedures } from '../../src/libvirt/procedures.ts';
import { remoteError } from '../../src/libvirt/structs.ts';
import { type Codec, none, type Value, XdrReader, XdrWriter } from '../../src/libvirt/xdr.ts';
import { type RecordedFrame, recording, releases } from './recordings.ts';

const byNumber = new Map<number, Procedure<unknown, unknown>>(
  Object.values(procedures).map(procedure => [procedure.number, procedure as Procedure<unknown, unknown>]),
);

/** The codec of what a frame carries; undefined where we have none. */
function payloadCodec({ program, type, status, procedure }: RecordedFrame): Codec<unknown> | undefined {
  if (program === keepaliveProgram.number) return none as Codec<unknown>;
  if (type === frameType.message) return eventByProcedure.get(procedure)?.codec;
  if (type === frameType.reply && status === frameStatus.error) return remoteError as Codec<unknown>;
  if (type === frameType.reply) return byNumber.get(procedure)?.reply;
  return type === frameType.call ? byNumber.get(procedure)?.args : undefined;
}

function decodeAll<T>(codec: Codec<T>, bytes: Buffer): T {
  const reader = new XdrReader(bytes);
  const value = codec.decode(reader);
  expect(reader.remaining).toBe(0);
  return value;
}

function encode<T>(codec: Codec<T>, value: T): Buffer {
  const writer = new XdrWriter();
  codec.encode(writer, value);
  return writer.finish();
}

describe.each(releases)('recorded with libvirt %s', release => {
  const frames = recording(release);
  const stream = Buffer.concat(frames.map(({ bytes }) => bytes));
  const expected = frames.map(({ program, procedure, type, serial, status, bytes }) => ({
    program,
    version: 1,
    procedure,
    type,
    serial,
    status,
    payload: bytes.subarray(headerBytes),
  }));

  test('the stream is cut into the frames it was made of', () => {
    expect(new FrameDecoder().push(stream)).toEqual(expected);
  });

  test('and in chunks of any size', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 50 }), sizes => {
        const decoder = new FrameDecoder();
        const seen = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          seen.push(...decoder.push(stream.subarray(at, at + size)));
          at += size;
        }
        expect(seen.length).toBe(expected.length);
        expect(seen.every((frame, i) => expected[i]?.payload.equals(frame.payload))).toBe(true);
      }),
      { numRuns: 15 },
    );
  });

  test('every payload we know is read to its last byte and written back the same', () => {
    let known = 0;
    for (const frame of frames) {
      const codec = payloadCodec(frame);
      if (!codec) continue;
      known += 1;
      const payload = frame.bytes.subarray(headerBytes);
      const where = `procedure ${frame.procedure}, type ${frame.type}`;
      expect(encode(codec, decodeAll(codec, payload)).toString('hex'), where).toBe(payload.toString('hex'));
    }
    expect(known).toBeGreaterThan(600);
  });

  test('we ask in the very bytes of the official client', () => {
    const calls = frames.filter(({ from, type, procedure }) => {
      return from === 'client' && type === frameType.call && byNumber.has(procedure);
    });
    expect(calls.length).toBeGreaterThan(300);
    for (const { procedure: number, serial, bytes } of calls) {
      const procedure = byNumber.get(number) as Procedure<unknown, unknown>;
      const header = {
        program: remoteProgram.number,
        version: remoteProgram.version,
        procedure: number,
        type: frameType.call,
        serial,
        status: frameStatus.ok,
      };
      const ours = encodeFrame(header, procedure.args, decodeAll(procedure.args, bytes.subarray(headerBytes)));
      expect(ours.toString('hex'), procedure.name).toBe(bytes.toString('hex'));
    }
  });

  test('we answer a ping in the very bytes of the official client', () => {
    const pong = frames.find(({ from, program }) => from === 'client' && program === keepaliveProgram.number);
    const header = { program: 0x6b656570, version: 1, procedure: 2, type: frameType.message, serial: 0, status: 0 };
    expect(encodeFrame(header, none, undefined).toString('hex')).toBe(pong?.bytes.toString('hex'));
  });

  test('refusals carry their codes', () => {
    const codes = frames
      .filter(({ status, type }) => type === frameType.reply && status === frameStatus.error)
      .map(({ bytes }) => decodeAll(remoteError, bytes.subarray(headerBytes)))
      .map(({ code, domain, message }) => ({ code, domain, message }));
    expect(codes).toContainEqual({
      code: 74,
      domain: 10,
      message: 'argument unsupported: QEMU guest agent is not configured',
    });
    expect(codes).toContainEqual({
      code: 42,
      domain: 10,
      message: "Domain not found: no domain with matching name 'nope'",
    });
    const counted = Object.fromEntries([...Map.groupBy(codes, ({ code }) => code)].map(([k, v]) => [k, v.length]));
    expect(counted).toEqual(
      {
        // Two unknown events, and no address by ARP.
        '6.0.0': { 1: 3, 42: 1, 74: 1 },
        '9.0.0': { 1: 1, 42: 1, 74: 1 },
        // The storage driver was not installed.
        '12.8.0': { 3: 6, 42: 1, 74: 1 },
      }[release],
    );
  });

  test('lifecycle events tell the story of the recording, before the replies', () => {
    type Lifecycle = Value<typeof domainEvents.lifecycle.codec>;
    const story = frames
      .filter(({ type, procedure }) => type === frameType.message && procedure === domainEvents.lifecycle.procedure)
      .map(({ bytes }) => decodeAll<Lifecycle>(domainEvents.lifecycle.codec, bytes.subarray(headerBytes)))
      .map(({ event, detail }) => `${event}:${detail}`);
    // 6.0 does not tell of the shutdown that a destroy begins with.
    const destroyed = release === '6.0.0' ? ['5:1'] : ['6:2', '5:1'];
    expect(story).toEqual(['4:0', '2:0', '3:0', '4:0', ...destroyed, '1:0']);
  });
});

test('what no recording has is known by name', () => {
  const recorded = new Set(
    releases.flatMap(recording).flatMap(frame => (frame.type === frameType.call ? frame.procedure : [])),
  );
  const missing = Object.values(procedures).filter(({ number }) => !recorded.has(number));
  // The contract suite asks these of real daemons instead.
  expect(missing.map(({ name }) => name)).toEqual([
    'domainGetAutostart',
    'connectGetHostname',
    'authPolkit',
    'storagePoolRefresh',
    'storagePoolGetInfo',
    'storagePoolGetXmlDesc',
    'storageVolCreateXml',
    'storageVolDelete',
    'storageVolLookupByPath',
    'interfaceLookupByName',
    'domainIsPersistent',
    'connectGetLibVersion',
    'domainCreateWithFlags',
    'domainOpenConsole',
    'domainPmWakeup',
    'domainDefineXmlFlags',
    'storageVolGetInfoFlags',
    'nodeGetCpuStats',
    'nodeGetMemoryStats',
    'connectListAllStoragePools',
    'storagePoolLookupByTargetPath',
  ]);
});
