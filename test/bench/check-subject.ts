/**
 * The bridge as subject.ts starts it, with probes that look at a host and a DSM of the benchmark's (place.ts), and a
 * line to order a check of every VM. Arguments: the configuration file, milliseconds between polls, and the setting.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { main } from '../../src/app/run.ts';
import type { Depth } from '../../src/checks/engine/retry-times.ts';
import { VmChecks } from '../../src/checks/engine/vm-checks.ts';
import { Findhost } from '../../src/checks/findhost/client.ts';
import type { Limits } from '../../src/checks/finding.ts';
import { bridge } from '../../src/checks/probes/bridge.ts';
import { discovery } from '../../src/checks/probes/discovery.ts';
import { neighbour } from '../../src/checks/probes/neighbour.ts';
import { ping } from '../../src/checks/probes/ping.ts';
import type { Probes } from '../../src/checks/probes.ts';
import { boundMemory } from '../../src/cli/run.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createLogger } from '../../src/util/pino.ts';
import type { Setting } from './place.ts';
import { answer } from './usage.ts';

const [, , file = '', interval, setting = ''] = process.argv;
const { root, networks, findhost, command, stuck } = JSON.parse(setting) as Setting;
const { config } = await loadConfig({ config: file, env: {} });
boundMemory(config.vms.length);
const hosts = config.hosts.map(host => ({ ...host, statsInterval: Number(interval) }));

let withPing = command !== null;
// It asks by name alone, so that the network of the machine hears nothing of it; and as often as there are checks.
const findhostClient = new Findhost({ port: findhost, spacing: 1, broadcasts: () => [] });
const probes: Partial<Probes> = {
  bridge: stuck ? never : (target, limits) => bridge({ ...target, root, local: true }, limits),
  neighbour: (target, limits) => neighbour({ ...target, root, networks }, limits),
  ping: async (target, limits) =>
    withPing && command
      ? ping({ ...target, command }, limits)
      : { kind: 'not_applicable', ms: null, explanation: 'Left out.' },
  discovery: (target, limits) => discovery(findhostClient, target, limits),
};

// They are nobody's but the bridge's: whoever is started is kept hold of.
const vms: VmChecks[] = [];
const { start } = VmChecks.prototype;
VmChecks.prototype.start = function () {
  vms.push(this);
  start.call(this);
};
await main({ ...config, hosts }, createLogger({ ...config.log, destination: process.stdout }), { pause: 0, probes });
answer(async ({ depth, ping: wanted }: { depth: Depth; ping: boolean }) => {
  withPing = wanted;
  await Promise.all(vms.map(vm => vm.check(depth)));
});
if (stuck) for (const vm of vms) void again(vm);

function never(_: unknown, { signal }: Limits): Promise<never> {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

/** One check after another; while a VM is paused there is none, only the try. */
async function again(vm: VmChecks) {
  for (;;) {
    await vm.check('command');
    await delay(1);
  }
}
