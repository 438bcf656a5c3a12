import { crc32, inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { frameType, headerBytes } from '../../src/libvirt/frame.ts';
import { ScreenError, takeScreenshot, toPng } from '../../src/vm/screen.ts';
import { opened } from '../fakes/libvirtd/opened.ts';
import { png, ppm } from '../fakes/libvirtd/screen.ts';
import { recording } from '../libvirt/recordings.ts';

interface Picture {
  width: number;
  height: number;
  pixels: Buffer;
}

/** A PNG of 8-bit RGB, checked to its last byte by the letter of the specification. */
function decodePng(bytes: Buffer): Picture {
  expect(bytes.subarray(0, 8).toString('hex')).toBe('89504e470d0a1a0a');
  const chunks: { type: string; content: Buffer }[] = [];
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const content = bytes.subarray(at + 8, at + 8 + length);
    expect(bytes.readUInt32BE(at + 8 + length)).toBe(crc32(bytes.subarray(at + 4, at + 8 + length)));
    chunks.push({ type: bytes.toString('latin1', at + 4, at + 8), content });
    at += length + 12;
  }
  expect(chunks.map(({ type }) => type)).toEqual(['IHDR', 'IDAT', 'IEND']);
  const [header, data] = chunks.map(({ content }) => content);
  if (!header || !data) throw new Error('a chunk is missing');
  // Eight bits, RGB, deflate, the one set of filters, not interlaced.
  expect(header.subarray(8).toString('hex')).toBe('0802000000');
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const rows = inflateSync(data);
  expect(rows.length).toBe(height * (1 + width * 3));
  const pixels = Buffer.concat(
    Array.from({ length: height }, (_, y) => {
      const row = rows.subarray(y * (1 + width * 3), (y + 1) * (1 + width * 3));
      expect(row[0], 'no filter').toBe(0);
      return row.subarray(1);
    }),
  );
  return { width, height, pixels };
}

/** A PPM with this header and these pixels behind it. */
function ppmOf(header: string, pixels: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(header, 'latin1'), pixels]);
}

describe('PPM becomes PNG', () => {
  test('the screen of a QEMU 4.2, as libvirt 6.0 sent it', async () => {
    const packets = recording('6.0.0').filter(
      ({ from, type, procedure }) => from === 'server' && type === frameType.stream && procedure === 211,
    );
    const picture = Buffer.concat(packets.map(({ bytes }) => bytes.subarray(headerBytes)));
    const { width, height, pixels } = decodePng(await toPng(picture));
    expect(pixels.equals(picture.subarray(-pixels.length))).toBe(true);
    expect(picture.length).toBe(`P6\n${width} ${height}\n255\n`.length + pixels.length);
  });

  test('any picture comes through whole', async () => {
    const picture = fc
      .record({ width: fc.integer({ min: 1, max: 20 }), height: fc.integer({ min: 1, max: 20 }) })
      .chain(({ width, height }) => {
        const size = { minLength: width * height * 3, maxLength: width * height * 3 };
        return fc.record({ width: fc.constant(width), height: fc.constant(height), pixels: fc.uint8Array(size) });
      });
    const gap = fc.oneof(fc.constantFrom(' ', '\n', '\t', '\r', '\v', '\f', '  \n', ' # 9 9\n', '# a #b\r', '\n#\n\n'));
    const anyCase = fc.record({
      picture,
      gaps: fc.tuple(gap, gap, gap),
      last: fc.constantFrom(' ', '\n', '\t', '#c\n'),
    });
    await fc.assert(
      fc.asyncProperty(anyCase, async ({ picture: { width, height, pixels }, gaps: [a, b, c], last }) => {
        const bytes = ppmOf(`P6${a}${width}${b}${height}${c}255${last}`, pixels);
        expect(decodePng(await toPng(bytes))).toEqual({ width, height, pixels: Buffer.from(pixels) });
      }),
    );
  });

  test('white space is part of the picture when it is the second after the header', async () => {
    const pixels = Buffer.from('\n#\n');
    expect(decodePng(await toPng(ppmOf('P6 1 1 255\n', pixels))).pixels).toEqual(pixels);
  });

  test('a further picture behind the first is left out', async () => {
    const two = Buffer.concat([ppm(2, 1), ppm(5, 5)]);
    expect(decodePng(await toPng(two))).toMatchObject({ width: 2, height: 1 });
  });

  test('a screen of 4K is small again', async () => {
    const bytes = await toPng(ppm(3_840, 2_160));
    expect(bytes.length).toBeLessThan(200_000);
    expect(decodePng(bytes)).toMatchObject({ width: 3_840, height: 2_160 });
  });
});

describe('PNG stays as it is', () => {
  test('whole', async () => {
    const picture = png(3, 2);
    expect(await toPng(picture)).toBe(picture);
  });

  test('cut off it is refused', async () => {
    await expect(toPng(png(3, 2).subarray(0, -1))).rejects.toThrow('the PNG is cut off');
  });
});

describe('anything else is a ScreenError', () => {
  test.each([
    ['nothing', Buffer.alloc(0), /neither PNG nor PPM, but 0 bytes/],
    ['JPEG', Buffer.from('ffd8ffe000104a464946', 'hex'), /neither PNG nor PPM, but 10 bytes of image\/jpeg/],
    ['grey', ppmOf('P5 1 1 255\n', Buffer.alloc(3)), /neither PNG nor PPM/],
    ['a PPM of text', ppmOf('P3 1 1 255\n0 0 0\n', Buffer.alloc(3)), /neither PNG nor PPM/],
    ['16 bits a colour', ppmOf('P6 1 1 65535\n', Buffer.alloc(6)), /65536 shades a colour/],
    ['no width', ppmOf('P6 0 1 255\n', Buffer.alloc(3)), /0 × 1 pixels/],
    ['no height', ppmOf('P6 1 0 255\n', Buffer.alloc(3)), /1 × 0 pixels/],
    ['a width of a million', ppmOf('P6 1000000 1 255\n', Buffer.alloc(3)), /1000000 × 1 pixels/],
    ['a width without end', ppmOf(`P6 ${'9'.repeat(400)} 1 255\n`, Buffer.alloc(3)), /no proper header/],
    ['a negative width', ppmOf('P6 -1 1 255\n', Buffer.alloc(3)), /no proper header/],
    ['no white space after the magic', ppmOf('P61 1 255\n', Buffer.alloc(3)), /no proper header/],
    ['words', ppmOf('P6 wide high 255\n', Buffer.alloc(3)), /no proper header/],
    ['a header cut off', Buffer.from('P6 1 1'), /no proper header/],
    ['a header cut off in a comment', Buffer.from('P6 1 1 # and'), /no proper header/],
    ['a byte too few', ppmOf('P6 2 2 255\n', Buffer.alloc(11)), /cut off/],
  ])('%s', async (_, bytes, message) => {
    const failure = toPng(bytes, 'image/jpeg');
    await expect(failure).rejects.toBeInstanceOf(ScreenError);
    await expect(failure).rejects.toThrow(message);
  });

  test('any bytes: PNG or that error, whatever they begin with', async () => {
    const beginning = fc.constantFrom('', 'P6', 'P6\n', 'P6 1 1 255\n', 'P6 2 3 ', '\x89PNG\r\n\x1a\n');
    await fc.assert(
      fc.asyncProperty(beginning, fc.uint8Array({ maxLength: 200 }), async (start, rest) => {
        const bytes = ppmOf(start, rest);
        const outcome = await toPng(bytes).catch(error => error);
        if (Buffer.isBuffer(outcome)) expect(outcome.toString('latin1', 1, 4)).toBe('PNG');
        else expect(outcome).toBeInstanceOf(ScreenError);
      }),
      { numRuns: 500 },
    );
  });
});

describe('of a guest', () => {
  async function setUp() {
    const it = await opened();
    it.domain.start();
    return it;
  }

  test('PNG in both of QEMU’s formats, of the screen that was asked for', async () => {
    await using it = await setUp();
    it.domain.guest.screens = [png(4, 3), ppm(5, 6, (x, y) => x + y)];
    expect(decodePng(await takeScreenshot(it.client, it.domain.ref, {}))).toMatchObject({ width: 4, height: 3 });
    const second = decodePng(await takeScreenshot(it.client, it.domain.ref, { screen: 1 }));
    expect(second).toMatchObject({ width: 5, height: 6 });
    expect(second.pixels.at(-1)).toBe(4 + 5);
    await expect(takeScreenshot(it.client, it.domain.ref, { screen: 2 })).rejects.toMatchObject({ code: 55 });
  });

  test('one of absurd size is given up', async () => {
    await using it = await setUp();
    it.domain.guest.screens = [ppm(100, 100)];
    const failure = takeScreenshot(it.client, it.domain.ref, { limit: 10_000 });
    await expect(failure).rejects.toBeInstanceOf(ScreenError);
    await expect(failure).rejects.toThrow('a picture of more than 10000 bytes');
  });

  test('a stream that fails is libvirt’s error', async () => {
    await using it = await setUp();
    using _fault = it.daemon.breakStream('domainScreenshot', 'fails');
    await expect(takeScreenshot(it.client, it.domain.ref)).rejects.toMatchObject({ name: 'LibvirtError', code: 38 });
  });
});
