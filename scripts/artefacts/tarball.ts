import { type Release, run } from './artefact.ts';

/** Packs what is in a folder, as root's, with the commit's time, sorted: the same files make the same bytes. */
export async function tarball(folder: string, file: string, { epoch }: Pick<Release, 'epoch'>): Promise<void> {
  const same = ['--sort=name', `--mtime=@${epoch}`, '--owner=0', '--group=0', '--numeric-owner', '--mode=u+w,go=u-w'];
  // --no-name: no time in gzip's own header.
  await run('tar', [...same, '--format=gnu', '--use-compress-program=gzip --no-name', '-cf', file, '-C', folder, '.']);
}
