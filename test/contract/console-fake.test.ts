import { afterAll } from 'vitest';
import { parseUri } from '../../src/libvirt/uri.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import { consoleContract } from './console.ts';

const daemon = await FakeLibvirtd.listen();
afterAll(() => daemon.close());
const domain = daemon.define();

consoleContract({
  name: 'the fake’s console',
  uri: parseUri(daemon.uri),
  domain: domain.name,
  start: async () => domain.start(),
  write: async line => domain.console.write(`${line}\r\n`),
  stop: async () => domain.destroy(),
  daemon: { kill: () => daemon.kill(), start: () => daemon.listen() },
});
