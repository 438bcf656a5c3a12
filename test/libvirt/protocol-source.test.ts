/**
 * Our tables against the numbers and shapes of libvirt's own protocol. Whoever adds a row reads them again:
 * `LIBVIRT_SOURCE=/path/to/libvirt-9.0.0 npm test -- protocol-source`
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { errorCode } from '../../src/libvirt/errors.ts';
import { domainEvents } from '../../src/libvirt/events.ts';
import { keepaliveProgram, maxFrameBytes, remoteProgram } from '../../src/libvirt/frame.ts';
import { procedures } from '../../src/libvirt/procedures.ts';
import { maxDomains, maxString } from '../../src/libvirt/structs.ts';
import { type Codec, XdrReader } from '../../src/libvirt/xdr.ts';
import { leavesOf, type ProtocolFacts, ProtocolSource, readFacts } from './protocol-source.ts';

const tree = process.env['LIBVIRT_SOURCE'];

/** Where our name is shorter than libvirt's. */
const theirNames: Record<string, string> = {
  domainEventRegister: 'connect_domain_event_callback_register_any',
};
/** Of these events libvirt has the callback id in the struct itself, and not in the name. */
const unwrapped = ['nicMacChange'];

const snake = (name: string) =>
  name
    .replace(/^pm/, 'Pm')
    .replaceAll(/[A-Z]|(?<=\D)\d/g, character => `_${character.toLowerCase()}`)
    .replace(/^_/, '')
    .replace(/^pm_/, 'pm');

const procedureName = (ours: string) => theirNames[ours] ?? snake(ours);
const eventName = (ours: string) => `domain_event_${unwrapped.includes(ours) ? '' : 'callback_'}${snake(ours)}`;

const fixture = new URL('../fixtures/libvirt-9.0.0.json', import.meta.url);
if (tree) {
  const called = Object.keys(procedures).flatMap(ours =>
    ['args', 'ret'].map(end => `remote_${procedureName(ours)}_${end}`),
  );
  const told = Object.keys(domainEvents).map(ours => `remote_${eventName(ours)}_msg`);
  writeFileSync(fixture, `${JSON.stringify(readFacts(tree, '9.0.0', [...called, ...told]))}\n`);
}
const facts: ProtocolFacts = JSON.parse(readFileSync(fixture, 'utf8'));

describe(`against libvirt ${facts.release}`, () => {
  const source = new ProtocolSource(facts);

  test.each(Object.entries(procedures))('%s', (ours, { number, args, reply }) => {
    const name = procedureName(ours);
    expect(source.number(`REMOTE_PROC_${name.toUpperCase()}`)).toBe(number);
    agree(`remote_${name}_args`, args as Codec<unknown>);
    agree(`remote_${name}_ret`, reply as Codec<unknown>);
  });

  test.each(Object.entries(domainEvents))('event %s', (ours, { id, procedure, codec }) => {
    const name = eventName(ours);
    const number = source.number(`REMOTE_PROC_${name.toUpperCase()}`);
    if (number === undefined) expect(ours, 'newer than this source').toBe('nicMacChange');
    else {
      expect(number).toBe(procedure);
      expect(source.number(`VIR_DOMAIN_EVENT_ID_${snake(ours).toUpperCase()}`)).toBe(id);
      agree(`remote_${name}_msg`, codec as Codec<unknown>);
    }
  });

  test('bounds and programs', () => {
    expect(source.number('REMOTE_STRING_MAX')).toBe(maxString);
    expect(source.number('REMOTE_DOMAIN_LIST_MAX')).toBe(maxDomains);
    const length = source.number('VIR_NET_MESSAGE_LEN_MAX') ?? 0;
    expect((source.number('VIR_NET_MESSAGE_MAX') ?? 0) + length).toBe(maxFrameBytes);
    expect(source.number('REMOTE_PROGRAM')).toBe(remoteProgram.number);
    expect(source.number('KEEPALIVE_PROGRAM')).toBe(keepaliveProgram.number);
  });

  test('error codes', () => {
    const theirs: Record<keyof typeof errorCode, string> = {
      noSupport: 'NO_SUPPORT',
      operationFailed: 'OPERATION_FAILED',
      operationDenied: 'OPERATION_DENIED',
      rpc: 'RPC',
      noDomain: 'NO_DOMAIN',
      noStoragePool: 'NO_STORAGE_POOL',
      noStorageVolume: 'NO_STORAGE_VOL',
      operationInvalid: 'OPERATION_INVALID',
      argumentUnsupported: 'ARGUMENT_UNSUPPORTED',
      agentUnresponsive: 'AGENT_UNRESPONSIVE',
      noInterface: 'NO_INTERFACE',
      accessDenied: 'ACCESS_DENIED',
      volumeExists: 'STORAGE_VOL_EXIST',
      invalidSchema: 'XML_INVALID_SCHEMA',
    };
    for (const [ours, name] of Object.entries(theirs)) {
      const number = source.number(`VIR_ERR_${name}`);
      expect(number, name).toBe(errorCode[ours as keyof typeof errorCode]);
    }
  });

  /** A sample of their struct is read by our codec to its last byte, every leaf in its place. */
  function agree(struct: string, codec: Codec<unknown>): void {
    if (!source.hasStruct(struct)) {
      expect(codec.decode(new XdrReader(Buffer.alloc(0))), `${struct} does not exist`).toBeUndefined();
      return;
    }
    const { bytes, leaves } = source.sample(struct);
    const reader = new XdrReader(bytes);
    const ours = leavesOf(codec.decode(reader));
    expect(reader.remaining, struct).toBe(0);
    expect(
      ours.map((leaf, i) => (leaf === true ? leaves[i] : leaf)),
      struct,
    ).toEqual(leaves);
  }
});
