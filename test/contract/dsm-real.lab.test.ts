/** The contract on the lab's guest: `scripts/lab [--release forky] vitest run --project lab test/contract/dsm-real`. */
import { afterAll, beforeAll } from 'vitest';
import { address, guest, inLab } from '../lab/lab.ts';
import { dsmContract } from './dsm.ts';

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await guest.start();
});

afterAll(async () => {
  if (inLab()) await guest.off();
});

dsmContract({
  name: 'the guest',
  address: address.guest,
  mac: address.mac,
  port: port => port,
  serve: guest.scenario,
  requests: guest.requests,
  own: address.host,
  ears: [address.host, '255.255.255.255'],
  secure: false,
});
