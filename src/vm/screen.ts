import { promisify } from 'node:util';
import { constants, crc32, deflate } from 'node:zlib';
import type { CallOptions } from '../libvirt/calls.ts';
import type { Libvirt } from '../libvirt/client.ts';
import { LimitError } from '../libvirt/errors.ts';
import type { DomainRef } from '../libvirt/structs.ts';

/** What a guest's screen shows, always as PNG: QEMU writes PNG since 7.1, and before that PPM, which is converted. */

export class ScreenError extends Error {
  override name = 'ScreenError';
}

export interface ScreenOptions extends CallOptions {
  /** Counted from 0. */
  screen?: number;
  /** Bytes that the picture may have as it comes; default 64 MiB, where a PPM of 4K has 24. */
  limit?: number;
}

/** Pixels to a side. */
const maxSide = 16_384;
const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
/** A PNG's last chunk is empty, so it always has these bytes. */
const end = chunk('IEND', Buffer.alloc(0));

export async function takeScreenshot(client: Libvirt, ref: DomainRef, options: ScreenOptions = {}): Promise<Buffer> {
  try {
    const { mime, data } = await client.screenshot(ref, options);
    return await toPng(data, mime);
  } catch (error) {
    if (error instanceof LimitError) throw new ScreenError(`a picture of ${error.message}`, { cause: error });
    throw error;
  }
}

/** PNG as it is, PPM converted; `mime` is only mentioned. Throws `ScreenError` for anything else. */
export async function toPng(picture: Buffer, mime: string | null = null): Promise<Buffer> {
  if (picture.subarray(0, signature.length).equals(signature)) {
    if (!picture.subarray(-end.length).equals(end)) throw new ScreenError('the PNG is cut off');
    return picture;
  }
  if (picture.subarray(0, 2).toString('latin1') === 'P6') return encodePng(decodePpm(picture));
  throw new ScreenError(`neither PNG nor PPM, but ${picture.length} bytes of ${mime ?? 'an unknown type'}`);
}

interface Picture {
  width: number;
  height: number;
  /** Three bytes a pixel: red, green, blue. */
  pixels: Buffer;
}

/** White space, or a comment for the end of its line. */
const gap = '(?:[ \\t\\n\\v\\f\\r]|#[^\\n\\r]*[\\n\\r])';
const ppmHeader = new RegExp(`^P6${gap}+(\\d{1,9})${gap}+(\\d{1,9})${gap}+(\\d{1,9})${gap}`);
/** Bytes in which a header must end. */
const headerLimit = 4_096;

/** Raw PPM of 8 bits a colour (https://netpbm.sourceforge.net/doc/ppm.html), a view of its bytes. */
function decodePpm(bytes: Buffer): Picture {
  const header = ppmHeader.exec(bytes.toString('latin1', 0, headerLimit));
  if (!header) throw new ScreenError('the PPM has no proper header');
  const [width = 0, height = 0, most = 0] = header.slice(1).map(Number);
  if (most !== 255) throw new ScreenError(`a PPM of ${most + 1} shades a colour instead of 256`);
  for (const side of [width, height]) {
    if (side < 1 || side > maxSide) throw new ScreenError(`a PPM of ${width} × ${height} pixels`);
  }
  const [all] = header;
  const pixels = bytes.subarray(all.length, all.length + width * height * 3);
  if (pixels.length < width * height * 3) throw new ScreenError('the PPM is cut off');
  return { width, height, pixels };
}

/** Eight bits a colour, no filter, not interlaced (RFC 2083); the work is done off the event loop. */
async function encodePng({ width, height, pixels }: Picture): Promise<Buffer> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  const stride = width * 3;
  // Every row has its filter's number before it: 0, none.
  const rows = Buffer.alloc((stride + 1) * height);
  for (let y = 0; y < height; y++) pixels.copy(rows, y * (stride + 1) + 1, y * stride, (y + 1) * stride);
  // The usual level takes nine times as long for text, and makes it a third smaller.
  const data = await promisify(deflate)(rows, { level: constants.Z_BEST_SPEED });
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', data), end]);
}

/** Length, type, content, and the check of the latter two. */
function chunk(type: string, content: Buffer): Buffer {
  const bytes = Buffer.alloc(content.length + 12);
  bytes.writeUInt32BE(content.length, 0);
  bytes.write(type, 4, 'latin1');
  content.copy(bytes, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), bytes.length - 4);
  return bytes;
}
