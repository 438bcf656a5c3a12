/** The real stage: the lab's libvirtd and guest, and a Mosquitto on the usual port. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { address, guest, startMosquitto } from '../test/lab/lab.ts';
import { base, type Stage, vm } from './demo-stage.ts';

const mebi = 1024 ** 2;
const usualPort = 1883;

/** @param name the lab's, for the lines to try */
export async function labStage(name: string): Promise<Stage> {
  const enter = `scripts/lab --name ${name}`;
  if (await taken(usualPort)) {
    throw new Error(`A demo named ${name} runs already: enter it with ${enter} CMD, or give this one another --name.`);
  }
  const broker = await startMosquitto({ port: usualPort });
  const part = Buffer.alloc(4 * mebi);
  const files = createServer((_, response) => response.end(part));
  await new Promise<void>(resolve => files.listen(0, address.host, resolve));
  const { port } = files.address() as AddressInfo;
  const jobs = [receive, stream];
  let turn = 0;

  async function receive(tell: (what: string) => void): Promise<void> {
    tell('a backup comes in: over the network, onto both disks');
    for (let round = 0; round < 6; round++) {
      await guest.run(`wget -q -O /tmp/part http://${address.host}:${port}/
        for disk in sda sdb; do dd if=/tmp/part of=/dev/$disk bs=1M seek=$((4 * ${round})) conv=fsync; done`);
      await delay(700);
    }
  }

  async function stream(tell: (what: string) => void): Promise<void> {
    tell('a film is streamed: off the disk, over the network');
    for (let round = 0; round < 6; round++) {
      await guest.run(
        `echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/sda of=/www/film bs=1M count=4 skip=$((4 * ${round}))`,
      );
      await (await fetch(`http://${address.guest}:5000/film`, { signal: AbortSignal.timeout(30_000) })).arrayBuffer();
      await delay(700);
    }
  }

  return {
    about: 'a real guest on a real libvirtd, published to a real Mosquitto',
    broker: broker.url,
    libvirt: `qemu+unix:///system?socket=${address.socket}`,
    // The lab's network is its own.
    page: null,
    checks: { schedule: '*/10 * * * * *' },
    hints: [
      `${enter} mosquitto_sub -v -t '${base}/#'`,
      `${enter} mosquitto_pub -t ${base}/${vm}/power/set -m OFF`,
      `${enter} mosquitto_pub -t ${base}/${vm}/command -m '{"command":"start","id":"mine"}'`,
      `${enter} virsh suspend ${vm}`,
      `${enter} virsh resume ${vm}`,
    ],
    waiting() {
      const serial = guest.serial();
      if (serial.includes('dsm-lab: up')) return null;
      return serial.includes('BdsDxe: starting') ? 'the loader and the kernel' : 'the firmware';
    },
    work: tell => (jobs[turn++ % jobs.length] ?? receive)(tell),
    async [Symbol.asyncDispose]() {
      files.close();
      files.closeAllConnections();
      await broker.stop();
    },
  };
}

async function taken(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
