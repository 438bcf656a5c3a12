/**
 * The bridge as subject.js starts it, with probes that look at a host and a DSM of the benchmark's (place.ts), and a
 * line to order a check of every VM. Arguments: the configuration file, milliseconds between polls, and the setting.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { main } from '../../dist/app/run.js';
import { VmChecks } from '../../dist/checks/engine/vm-checks.js';
import { Findhost } from '../../dist/checks/findhost/client.js';
import { bridge } from '../../dist/checks/probes/bridge.js';
import { discovery } from '../../dist/checks/probes/discovery.js';
import { neighbour } from '../../dist/checks/probes/neighbour.js';
import { ping } from '../../dist/checks/probes/ping.js';
import { loadConfig } from '../../dist/config/load.js';
import { createLogger } from '../../dist/util/pino.js';
import { answer } from './usage.js';

const [, , file, interval, setting] = process.argv;
const { root, networks, findhost, command, stuck } = JSON.parse(setting);
const { config } = await loadConfig({ config: file, env: {} });
const libvirt = { ...config.libvirt, statsInterval: Number(interval) };

let withPing = command !== null;
// It asks by name alone, so that the network of the machine hears nothing of it; and as often as there are checks.
const findhostClient = new Findhost({ port: findhost, spacing: 1, broadcasts: () => [] });
const probes = {
  bridge: stuck ? never : (target, limits) => bridge({ ...target, root }, limits),
  neighbour: (target, limits) => neighbour({ ...target, root, networks }, limits),
  ping: async (target, limits) =>
    withPing ? ping({ ...target, command }, limits) : { kind: 'not_applicable', ms: null, explanation: 'Left out.' },
  discovery: (target, limits) => discovery(findhostClient, target, limits),
};

// They are nobody's but the bridge's: whoever is started is kept hold of.
const vms = [];
const { start } = VmChecks.prototype;
VmChecks.prototype.start = function () {
  vms.push(this);
  start.call(this);
};
await main({ ...config, libvirt }, createLogger({ ...config.log, destination: process.stdout }), { pause: 0, probes });
answer(async ({ depth, ping: wanted }) => {
  withPing = wanted;
  await Promise.all(vms.map(vm => vm.check(depth)));
});
if (stuck) for (const vm of vms) void again(vm);

function never(_, { signal }) {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

/** One check after another; while a VM is paused there is none, only the try. */
async function again(vm) {
  for (;;) {
    await vm.check('command');
    await delay(1);
  }
}
