import { expect, test } from 'vitest';
import { ConnectionLost } from '../../../src/libvirt/errors.ts';
import { ImageError } from '../../../src/loader/image/image.ts';
import { explain, LoaderFailure } from '../../../src/loader/job/failure.ts';
import { CommandError, SshError } from '../../../src/ssh/errors.ts';

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

test.each([
  [
    { stands: '12.4M of 341M', host: 'global.example' },
    'Nothing new came for 15 minutes; it stands at 12.4M of 341M. The last server that it named is global.example.',
    'Check that the guest reaches global.example. Read the last lines of its output; a download may hang.',
  ],
  [
    { stands: null, host: null },
    'Nothing new came for 15 minutes.',
    'Read the last lines of its output; a download may hang.',
  ],
])('a command that stands still is told with where it stands: %j', (stall, message, advice) => {
  const error = new CommandError('silent', 'nothing new came for 15 minutes', { stall });
  expect(explain(error)).toMatchObject({ code: 'ssh_silent', message, advice });
});

test('what is explained already stays as it is', () => {
  const failure = new LoaderFailure('x', 'y');
  expect(explain(failure)).toBe(failure);
});
