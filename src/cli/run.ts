import type { Config } from '../config/config.ts';
import { main } from '../main.ts';
import { createLogger } from '../util/pino.ts';
import { version } from '../version.ts';

/** `dsm2mqtt run`: the bridge, until SIGTERM or SIGINT. Resolves to the exit code; a second signal ends it at once. */
export async function run(config: Config): Promise<number> {
  const logger = createLogger(config.log);
  logger.info(
    { event: 'bridge.starting', version, instance: config.instance, node: process.versions.node },
    'dsm2mqtt',
  );
  const stopping = new Promise<NodeJS.Signals>(resolve => {
    let signals = 0;
    const stop = (signal: NodeJS.Signals) => {
      signals += 1;
      if (signals > 1) process.exit(1);
      resolve(signal);
    };
    process.on('SIGTERM', stop).on('SIGINT', stop);
  });
  const bridge = await main(config, logger);
  const signal = await stopping;
  logger.info({ event: 'bridge.stopping', signal }, 'stopping; the VMs are left as they are');
  await bridge.close();
  logger.info({ event: 'bridge.stopped' }, 'stopped');
  return 0;
}
