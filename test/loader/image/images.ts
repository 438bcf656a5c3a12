import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Libvirt } from '../../../src/libvirt/client.ts';
import { parseUri } from '../../../src/libvirt/uri.ts';
import { openFile } from '../../../src/loader/image/file-image.ts';
import type { LoaderImage } from '../../../src/loader/image/image.ts';
import { openVolume } from '../../../src/loader/image/volume-image.ts';
import { FakeLibvirtd } from '../../fakes/libvirtd/daemon.ts';

/** Loader images for tests: small ones, in a folder that goes with them. */

export const megabyte = 1024 ** 2;
export const soon = () => AbortSignal.timeout(20_000);

export async function temporary(): Promise<{ folder: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'image-'));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** A sparse file of this size with these bytes at these places. */
export async function sparse(
  path: string,
  size: number,
  parts: readonly (readonly [number, Buffer])[],
): Promise<Buffer> {
  const whole = Buffer.alloc(size);
  await using file = await open(path, 'w');
  for (const [at, bytes] of parts) {
    bytes.copy(whole, at);
    await file.write(bytes, 0, bytes.length, at);
  }
  await file.truncate(size);
  await file.sync();
  return whole;
}

export interface Opened extends AsyncDisposable {
  image: LoaderImage;
  /** With a volume. */
  daemon: FakeLibvirtd | null;
}

/** The two ways to the same file. */
export const ways: Record<'file' | 'volume', (path: string) => Promise<Opened>> = {
  file: async path => {
    const image = await openFile(path);
    return { image, daemon: null, [Symbol.asyncDispose]: () => image[Symbol.asyncDispose]() };
  },
  volume: async path => {
    const daemon = await FakeLibvirtd.listen();
    const client = await Libvirt.open({ uri: parseUri(daemon.uri), dial: daemon.dial });
    const image = await openVolume(client, { path, transientPool: true, signal: soon() });
    const close = async () => {
      await image[Symbol.asyncDispose]();
      await client.close();
      await daemon.close();
    };
    return { image, daemon, [Symbol.asyncDispose]: close };
  },
};

/** The same image with some of its ways changed. */
export function altered(image: LoaderImage, changes: Partial<LoaderImage>): LoaderImage {
  const same: LoaderImage = {
    path: image.path,
    size: () => image.size(),
    allocated: () => image.allocated(),
    read: (offset, length, signal) => image.read(offset, length, signal),
    write: (offset, bytes, signal) => image.write(offset, bytes, signal),
    [Symbol.asyncDispose]: () => image[Symbol.asyncDispose](),
  };
  return { ...same, ...changes };
}

/** The same image, in which nothing may be written. */
export function unwritten(image: LoaderImage): LoaderImage {
  return altered(image, { write: () => Promise.reject(new Error('written')) });
}

/** An error of the image, with one of these codes. */
export function code(codes: string | readonly string[], message = /./) {
  return expect.objectContaining({
    ...{ name: 'ImageError', code: expect.toBeOneOf([codes].flat()), message: expect.stringMatching(message) },
  });
}
