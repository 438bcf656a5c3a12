/**
 * So many bridges in one process, each with a libvirtd of its own, told by a message. It answers with the pid when all
 * have started.
 */
import { main } from '../../src/app/run.ts';
import { loadConfig } from '../../src/config/load.ts';
import { silent } from '../../src/util/logger.ts';
import { type Bridge, prepare } from './fleet-bridge.ts';

process.on('disconnect', () => process.exit());
process.on('message', async (bridges: Bridge[]) => {
  for (const bridge of bridges) {
    const { config: file } = await prepare(bridge);
    const { config } = await loadConfig({ config: file, env: {} });
    await main(config, silent);
  }
  process.send?.(process.pid);
});
