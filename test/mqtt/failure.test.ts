import { describe, expect, test } from 'vitest';
import { fromError, fromReason } from '../../src/mqtt/failure.ts';

test.each([
  [1, 'version'],
  [2, 'client_id'],
  [3, 'refused'],
  [4, 'credentials'],
  [5, 'credentials'],
  [130, 'protocol'],
  [132, 'version'],
  [133, 'client_id'],
  [134, 'credentials'],
  [135, 'credentials'],
  [136, 'refused'],
  [138, 'credentials'],
  [139, 'refused'],
  [141, 'silent'],
  [142, 'taken_over'],
  [151, 'refused'],
  [0, 'refused'],
])('reason %i is %s', (reason, code) => {
  expect(fromReason(reason)).toMatchObject({ code });
  expect(fromReason(reason).message).not.toMatch(/undefined|: \(/);
});

describe('errors', () => {
  const plain = { secure: false, answered: false };
  const fails = (code: unknown, message = 'm') => Object.assign(new Error(message), { code });

  test.each([
    ['ECONNREFUSED', plain, 'unreachable'],
    ['ENOTFOUND', plain, 'unreachable'],
    ['EAI_AGAIN', plain, 'unreachable'],
    ['ENOTFOUND', { secure: true, answered: false }, 'unreachable'],
    ['EPERM', plain, 'unreachable'],
    ['ECONNRESET', plain, 'closed_early'],
    ['ECONNRESET', { secure: true, answered: true }, 'closed'],
    ['EPIPE', { secure: false, answered: true }, 'closed'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', { secure: true, answered: false }, 'tls'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', { secure: true, answered: false }, 'tls'],
    ['EPROTO', { secure: true, answered: false }, 'tls'],
    [undefined, plain, 'protocol'],
    [134, plain, 'credentials'],
  ])('%s with %o is %s', (code, circumstances, expected) => {
    const cause = fails(code);
    const failure = fromError(cause, circumstances);
    expect(failure.code).toBe(expected);
    if (typeof code !== 'number') expect(failure.cause).toBe(cause);
  });
});
