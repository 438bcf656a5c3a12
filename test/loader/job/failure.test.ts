import { expect, test } from 'vitest';
import { ConnectionLost } from '../../../src/libvirt/errors.ts';
import { ImageError } from '../../../src/loader/image/errors.ts';
import { explain, LoaderFailure } from '../../../src/loader/job/failure.ts';
import { SshError } from '../../../src/ssh/errors.ts';

const lost = new ConnectionLost('the connection was lost');

test.each<[error: unknown, code: string, message: string]>([
  [new LoaderFailure('no_dsm_entry', 'There is none.'), 'no_dsm_entry', 'There is none.'],
  [new SshError('unreachable', 'nothing answers'), 'ssh_unreachable', 'Nothing answers.'],
  [lost, 'libvirt_unavailable', 'The connection was lost.'],
  [new ImageError('unreadable', '/x: lost', { cause: lost }), 'libvirt_unavailable', '/x: lost.'],
  [new ImageError('no_space', '/x has 1 MiB free'), 'image_no_space', '/x has 1 MiB free.'],
  [new TypeError('x is not a function'), 'internal', 'Something that nobody foresaw: x is not a function'],
  ['a word', 'internal', 'Something that nobody foresaw: a word'],
])('%o is %s', (error, code, message) => {
  expect(explain(error)).toMatchObject({ code, message });
});

test('what is explained already stays as it is', () => {
  const failure = new LoaderFailure('x', 'y');
  expect(explain(failure)).toBe(failure);
});
