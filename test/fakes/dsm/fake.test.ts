import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { touch } from '../../contract/dsm-wire.ts';
import { FakeDsm } from './fake.ts';

/** What the contract does not say of the fake. */

test('has its real ports at an address of its own, and others where those are taken', async () => {
  await using dsm = await FakeDsm.listen();
  expect(dsm.address).toMatch(/^127\./);
  expect([dsm.port(5000), dsm.port(5001), dsm.port(9999)]).toEqual([5000, 5001, 9999]);

  const other = dsm.address.replace(/\d+$/, last => String((Number(last) % 254) + 1));
  await using neighbour = createServer();
  neighbour.listen(5000, other);
  await once(neighbour, 'listening');
  await using moved = await FakeDsm.listen({ address: other });
  expect(moved.port(5000)).not.toBe(5000);
  const page = () => fetch(`http://${moved.address}:${moved.port(5000)}/`);
  expect((await page()).status).toBe(200);
  await moved.serve('booting');
  expect(await touch(moved.address, moved.port(5000))).toBe('refused');
  expect(moved.scenario).toBe('booting');
  await moved.serve('installer');
  expect(await (await page()).text()).toContain('Web Assistant');
});

test('answers HEAD without the page, and no request without an end', async () => {
  await using dsm = await FakeDsm.listen();
  const response = await fetch(`http://${dsm.address}:${dsm.port(5000)}/`, { method: 'HEAD' });
  expect(Number(response.headers.get('content-length'))).toBeGreaterThan(100);
  expect(await response.text()).toBe('');
  const endless = `http://${dsm.address}:${dsm.port(5000)}/${'x'.repeat(70_000)}`;
  await expect(fetch(endless)).rejects.toThrow();
  expect(dsm.requests).toEqual(['5000 HEAD /']);
});

test('is gone when closed, twice', async () => {
  const dsm = await FakeDsm.listen({ scenario: 'web-dead' });
  await dsm.close();
  await dsm.close();
  expect(await touch(dsm.address, dsm.port(5000))).toBe('refused');
});
