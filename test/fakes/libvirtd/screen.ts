import { crc32, deflateSync } from 'node:zlib';

/** Pictures as QEMU writes them of a screen: `ppm` until 7.0, `png` since 7.1. */

/** One byte of grey for each pixel. */
type Paint = (x: number, y: number) => number;

export function ppm(width: number, height: number, paint: Paint | null = null): Buffer {
  return Buffer.concat([Buffer.from(`P6\n${width} ${height}\n255\n`), rgb(width, height, paint)]);
}

export function png(width: number, height: number, paint: Paint | null = null): Buffer {
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  const pixels = rgb(width, height, paint);
  const rows = Array.from({ length: height }, (_, y) => [
    Buffer.alloc(1),
    pixels.subarray(y * width * 3, (y + 1) * width * 3),
  ]);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(rows.flat()))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** A text console, as a PC has one while it starts. */
export const blankScreen = png(720, 400);

function rgb(width: number, height: number, paint: Paint | null): Buffer {
  const pixels = Buffer.alloc(width * height * 3);
  if (!paint) return pixels;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) pixels.fill(paint(x, y), (y * width + x) * 3, (y * width + x + 1) * 3);
  }
  return pixels;
}

function chunk(type: string, data: Buffer): Buffer {
  const framed = Buffer.concat([Buffer.alloc(4), Buffer.from(type), data, Buffer.alloc(4)]);
  framed.writeUInt32BE(data.length, 0);
  framed.writeUInt32BE(crc32(framed.subarray(4, -4)), framed.length - 4);
  return framed;
}
