import { describe, expect, test } from 'vitest';
import { fromError, fromReason } from '../../src/mqtt/failure.ts';

test.each([
  [1, 'version'],
  [2, 'client_id'],
  [3, 'refused'],
  [5, 'credentials'],
  [133, 'client_id'],
  [136, 'refused'],
  [141, 'silent'],
  [142, 'taken_over'],
  [0, 'refused'],
])('reason %i is %s', (reason, code) => {
  expect(fromReason(reason)).toMatchObject({ code });
  expect(fromReason(reason).message).not.toMatch(/undefined|: \(/);
});

describe('errors', () => {
  const plain = { secure: false, answered: false, ca: false };
  const fails = (code: unknown, message = 'm') => Object.assign(new Error(message), { code });

  test.each([
    ['ECONNREFUSED', plain, 'unreachable'],
    ['ENOTFOUND', plain, 'unreachable'],
    ['EAI_AGAIN', plain, 'unreachable'],
    ['ENOTFOUND', { ...plain, secure: true }, 'unreachable'],
    ['EPERM', plain, 'unreachable'],
    ['ECONNRESET', plain, 'closed_early'],
    ['ECONNRESET', { ...plain, secure: true, answered: true }, 'closed'],
    ['EPIPE', { ...plain, answered: true }, 'closed'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', { ...plain, secure: true }, 'tls'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', { ...plain, secure: true }, 'tls'],
    ['EPROTO', { ...plain, secure: true }, 'tls'],
    [undefined, plain, 'protocol'],
    [134, plain, 'credentials'],
  ])('%s with %o is %s', (code, circumstances, expected) => {
    const cause = fails(code);
    const failure = fromError(cause, circumstances);
    expect(failure.code).toBe(expected);
    if (typeof code !== 'number') expect(failure.cause).toBe(cause);
  });

  test.each([
    ['DEPTH_ZERO_SELF_SIGNED_CERT', {}, /in mqtt\.ca_file$/],
    ['SELF_SIGNED_CERT_IN_CHAIN', {}, /in mqtt\.ca_file$/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', {}, /in mqtt\.ca_file$/],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', {}, /in mqtt\.ca_file$/],
    ['CERT_HAS_EXPIRED', {}, /has expired/],
    ['CERT_NOT_YET_VALID', {}, /clock$/],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', {}, /mqtt\.cert_file/],
    [
      'ERR_TLS_CERT_ALTNAME_INVALID',
      { host: 'b', cert: { subjectaltname: 'DNS:nas.lan, IP Address:::1' } },
      /nas\.lan, ::1, not for b/,
    ],
    ['ERR_TLS_CERT_ALTNAME_INVALID', { host: 'b', cert: { subject: { CN: 'nas' } } }, /for nas, not for b/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', { host: 'b', cert: {} }, /for no name, not for b/],
    ['ERR_OSSL_PEM_NO_START_LINE', {}, /^TLS failed: /],
  ])('%s names what to do, in words of the configuration', (code, more, words) => {
    const node = 'if the root CA is installed locally, try running Node.js with --use-system-ca';
    const { message } = fromError(Object.assign(fails(code, node), more), { ...plain, secure: true });
    expect(message).toMatch(words);
    if (!message.startsWith('TLS failed')) expect(message).not.toContain('Node.js');
  });

  test('a given authority is not asked for again', () => {
    const { message } = fromError(fails('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), { ...plain, secure: true, ca: true });
    expect(message).toMatch(/^the authority in mqtt\.ca_file has not signed/);
  });
});
