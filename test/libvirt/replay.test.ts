/** The client against what three real daemons once answered, 6.0 among them, which no lab can install. */

import { duplexPair } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { Libvirt } from '../../src/libvirt/client.ts';
import { eventNames } from '../../src/libvirt/events.ts';
import { destroyFlag, shutdownFlag } from '../../src/libvirt/flags.ts';
import { encodeFrame, FrameDecoder, frameStatus, frameType, headerBytes } from '../../src/libvirt/frame.ts';
import { remoteError } from '../../src/libvirt/structs.ts';
import { fixedOpaque } from '../../src/libvirt/xdr.ts';
import { everyParam } from './params.ts';
import { frameOf } from './peer.ts';
import { type RecordedFrame, recording, releases } from './recordings.ts';

const dsm = { name: 'DSM', uuid: '186682f9-0f0b-4a9e-867b-364706339405' };

/** A daemon that answers a request as the recorded one did the first time, and what it never was asked with code 3. */
async function replayed(release: (typeof releases)[number]): Promise<Libvirt> {
  const answers = new Map<string, RecordedFrame>();
  const asked = new Map<string, string>();
  for (const frame of recording(release)) {
    const call = `${frame.conn}/${frame.serial}`;
    const request = `${frame.procedure}:${frame.bytes.subarray(headerBytes).toString('hex')}`;
    if (frame.type === frameType.call) asked.set(call, request);
    const answered = frame.type === frameType.reply ? asked.get(call) : undefined;
    if (answered !== undefined && !answers.has(answered)) answers.set(answered, frame);
  }
  const [ours, theirs] = duplexPair();
  const decoder = new FrameDecoder();
  theirs.on('data', chunk => {
    for (const { procedure, serial, payload, type } of decoder.push(chunk)) {
      if (type !== frameType.call) continue;
      const answer = answers.get(`${procedure}:${payload.toString('hex')}`);
      theirs.write(answer ? withSerial(answer, serial) : unsupported(procedure, serial));
    }
  });
  return Libvirt.open({ uri: { name: 'qemu:///system', sockets: [] }, dial: async () => ours });
}

function withSerial({ bytes, ...header }: RecordedFrame, serial: number): Buffer {
  const payload = bytes.subarray(headerBytes);
  return encodeFrame({ ...header, version: 1, serial }, fixedOpaque(payload.length), payload);
}

function unsupported(procedure: number, serial: number): Buffer {
  const unused = { subject: null, str1: null, str2: null, str3: null, int1: -1, int2: -1, network: null };
  const header = { procedure, serial, type: frameType.reply, status: frameStatus.error };
  return frameOf(header, remoteError, { code: 3, domain: 0, message: 'not recorded', level: 2, ...unused });
}

describe.each(releases)('libvirt %s', release => {
  test('what it says of its host', async () => {
    await using client = await replayed(release);
    expect(await client.type()).toBe('QEMU');
    await expect(client.versions()).rejects.toMatchObject({ code: 3 });
  });

  test('which events it knows', async () => {
    await using client = await replayed(release);
    const refused = await client.subscribe(eventNames);
    // Nobody asked for the newest.
    expect(refused).toEqual(['nicMacChange']);
  });

  test('its domain, off and running', async () => {
    await using client = await replayed(release);
    const off = { ...dsm, id: -1 };
    const running = { ...dsm, id: 1 };
    expect(await client.domainByName('DSM')).toEqual(off);
    await expect(client.domainByName('nope')).rejects.toMatchObject({ code: 42 });
    expect(await client.state(off)).toEqual({ state: 5, reason: 0 });
    expect(await client.xml(off)).toMatch(/^<domain type='(qemu|kvm)'>/);
    expect(await client.state(running)).toEqual({ state: 1, reason: 1 });
    expect(await client.xml(running)).toContain("<target dev='vnet0'/>");
    expect(await client.xml(running, { inactive: true })).not.toContain('vnet0');
    expect(await client.blockInfo(running, 'sda')).toMatchObject({ capacity: 64 * 1024 ** 2 });
    await client.setMemoryStatsPeriod(running, 2);
    await client.shutdown(running, shutdownFlag.acpi);
    await expect(client.shutdown(running, shutdownFlag.agent)).rejects.toMatchObject({ code: 74 });
    await client.destroy(running, destroyFlag.graceful);
  });

  test('its statistics', async () => {
    await using client = await replayed(release);
    const [record, ...rest] = await client.stats([], 0, everyParam);
    expect(rest).toEqual([]);
    expect(record?.domain).toEqual({ ...dsm, id: 1 });
    const values = Object.fromEntries(record?.params.map(({ field, value }) => [field, value]) ?? []);
    expect(values).toMatchObject({
      'state.state': 1,
      'balloon.maximum': 131_072,
      'vcpu.current': 2,
      'net.0.name': 'vnet0',
      'block.0.name': 'sda',
      'block.0.capacity': 64 * 1024 ** 2,
      'block.2.name': 'hdz',
    });
  });
});
