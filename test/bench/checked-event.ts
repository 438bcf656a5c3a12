import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BenchBridge, startBridge } from './bridge.ts';
import { changesInTurns } from './event.ts';
import { startPeers } from './peers.ts';
import { type Place, startPlace } from './place.ts';
import { measured, type Section } from './report.ts';

/** Milliseconds of each probe: short, so that many begin and end among the events. */
const probeTimeout = 200;

/**
 * As `event`, but while the VM is under check all the time and the slow probes are never answered; in turns with a
 * bridge that checks nothing.
 */
export async function checkedEvent(count: number): Promise<Section> {
  await using place = await startPlace();
  await place.dsm.close();
  await using quiet = await startBridge({ interval: 30_000 });
  await using checking = await startStuck(place);
  const [without, within] = await changesInTurns([quiet, checking], count);
  return {
    title: 'libvirt event → MQTT publication, while checks time out',
    rows: [
      measured('bridge, a check always under way', 'ms', within),
      measured('bridge that checks nothing, in turns with it', 'ms', without),
    ],
  };
}

/** A bridge that checks its VM all the time, where a probe hangs, and nothing else answers. */
async function startStuck(place: Place): Promise<BenchBridge> {
  const times = `schedule: never, deep_schedule: never, probe_timeout: ${probeTimeout}ms`;
  const peers = await startPeers(1, { checks: place.checks(times) });
  const [domain] = peers.libvirtd.fake.domains;
  if (!domain) throw new Error('no domain');
  await place.plug(domain, { answers: false });
  // Whoever kills the bridge leaves it behind, though not for long.
  const command = join(place.setting.root, 'ping');
  await writeFile(command, '#!/bin/sh\nexec sleep 1\n', { mode: 0o755 });
  const findhostd = await place.discovery(domain);
  findhostd.mode = 'silent';
  return startBridge({
    ...{ interval: 30_000, peers },
    setting: { ...place.setting, findhost: findhostd.port, command, stuck: true },
  });
}
