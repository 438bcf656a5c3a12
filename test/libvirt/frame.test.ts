import { describe, expect, test, vi } from 'vitest';
import { ProtocolError } from '../../src/libvirt/errors.ts';
import { encodeFrame, FrameDecoder, headerBytes, maxFrameBytes } from '../../src/libvirt/frame.ts';
import { fixedOpaque, none } from '../../src/libvirt/xdr.ts';

const header = { program: 0x20008086, version: 1, procedure: 42, type: 1, serial: 4_000_000_000, status: 0 };

function lengthWord(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
}

test('a frame is its length, six words and the payload', () => {
  const frame = encodeFrame(header, fixedOpaque(4), Buffer.from('abcd'));
  expect(frame.toString('hex')).toBe(
    '00000020' + '20008086' + '00000001' + '0000002a' + '00000001' + 'ee6b2800' + '00000000' + '61626364',
  );
  expect(new FrameDecoder().push(frame)).toEqual([{ ...header, payload: Buffer.from('abcd') }]);
});

test('many frames in one chunk, the last one cut off', () => {
  const frame = encodeFrame(header, none, undefined);
  const decoder = new FrameDecoder();
  const chunk = Buffer.concat([...Array.from({ length: 2_000 }, () => frame), frame.subarray(0, 27)]);
  expect(decoder.push(chunk).length).toBe(2_000);
  expect(decoder.push(frame.subarray(27)).length).toBe(1);
});

test('empty chunks do no harm', () => {
  const decoder = new FrameDecoder();
  const frame = encodeFrame(header, none, undefined);
  expect(decoder.push(Buffer.alloc(0))).toEqual([]);
  expect(decoder.push(frame.subarray(0, 2))).toEqual([]);
  expect(decoder.push(Buffer.alloc(0))).toEqual([]);
  expect(decoder.push(frame.subarray(2)).length).toBe(1);
});

test.each([1, 7, 1_000])('a megabyte in chunks of %i is copied at most twice', size => {
  const payload = Buffer.alloc(1_048_576, 7);
  const frame = encodeFrame(header, fixedOpaque(payload.length), payload);
  const concat = vi.spyOn(Buffer, 'concat');
  try {
    const decoder = new FrameDecoder();
    const frames = [];
    for (let at = 0; at < frame.length; at += size) frames.push(...decoder.push(frame.subarray(at, at + size)));
    expect(frames.length).toBe(1);
    expect(frames[0]?.payload.equals(payload)).toBe(true);
    const copied = concat.mock.results.reduce((sum, { value }) => sum + value.length, 0);
    expect(copied).toBeLessThan(2 * frame.length);
    expect(concat.mock.calls.length).toBeLessThan(10);
  } finally {
    concat.mockRestore();
  }
});

describe('lengths', () => {
  test('are those of libvirt 7 and later: 32 MiB and the length word', () => {
    expect([headerBytes, maxFrameBytes]).toEqual([28, 33_554_436]);
  });

  test.each([0, 1, 4, headerBytes - 1, maxFrameBytes + 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])(
    '%i is refused at its fourth byte',
    length => {
      const decoder = new FrameDecoder();
      const word = lengthWord(length);
      expect(decoder.push(word.subarray(0, 3))).toEqual([]);
      expect(() => decoder.push(word.subarray(3))).toThrow(ProtocolError);
    },
  );

  test.each([headerBytes, maxFrameBytes])('%i is waited for', length => {
    expect(new FrameDecoder().push(lengthWord(length))).toEqual([]);
  });

  test('what is announced is not allocated before it comes', () => {
    const alloc = vi.spyOn(Buffer, 'alloc');
    const allocUnsafe = vi.spyOn(Buffer, 'allocUnsafe');
    try {
      new FrameDecoder().push(Buffer.concat([lengthWord(maxFrameBytes), Buffer.from('only this')]));
      const sizes = [...alloc.mock.calls, ...allocUnsafe.mock.calls].map(([size]) => size);
      expect(Math.max(0, ...sizes)).toBeLessThan(100);
    } finally {
      alloc.mockRestore();
      allocUnsafe.mockRestore();
    }
  });

  test('we do not send more than libvirtd takes', () => {
    const most = maxFrameBytes - headerBytes;
    expect(encodeFrame(header, fixedOpaque(most), Buffer.alloc(most)).length).toBe(maxFrameBytes);
    expect(() => encodeFrame(header, fixedOpaque(most + 4), Buffer.alloc(most + 4))).toThrow(RangeError);
  });
});
