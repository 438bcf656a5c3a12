import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../src/ssh/connect.ts';
import { startBox } from '../fakes/box/box.ts';
import { makeLoaderImage } from '../fakes/box/image.ts';
import { rploaderContract } from './rploader.ts';

rploaderContract("the fake builder's script", async release => {
  await using open = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'rploader-'));
  open.defer(() => rm(folder, { recursive: true, force: true }));
  const image = join(folder, 'loader.img');
  await makeLoaderImage(image);
  const box = open.use(await startBox({ image, release: release.replace(/[a-z]$/, '') }));
  const { host, port, fingerprint } = box;
  const session = open.use(
    await connect(
      {
        ...{ host, port, user: 'tc', password: 'P@ssw0rd', within: 20_000 },
        hostKeys: [fingerprint],
      },
      AbortSignal.timeout(20_000),
    ),
  );
  const rest = open.move();
  return {
    session,
    auxfiles: join(box.home, '..', 'auxfiles'),
    fault: names => {
      box.faults = names;
    },
    [Symbol.asyncDispose]: () => rest[Symbol.asyncDispose](),
  };
});
