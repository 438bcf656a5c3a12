import { setTimeout as delay } from 'node:timers/promises';
import { Child } from './child.ts';
import { nodeOptions } from './image.ts';
import { type Peers, startPeers, topic } from './peers.ts';

const onlinePayload = Buffer.from('online');

export interface BenchBridge extends AsyncDisposable {
  child: Child;
  peers: Peers;
}

export interface BridgeOptions {
  domains?: number;
  /** Milliseconds between polls. */
  interval: number;
  /** Milliseconds after it is online until what belongs to its start is over. */
  settle?: number;
  gc?: boolean;
  /** Its peers, which it takes over; default: of its own. */
  peers?: Peers;
  /** What its checks go through (see place.ts); default: the real probes. */
  setting?: object;
}

/** A bridge in a process of its own, online and with every domain known. */
export async function startBridge(options: BridgeOptions): Promise<BenchBridge> {
  const { domains = 1, interval, settle = 300, gc = false, setting } = options;
  const peers = options.peers ?? (await startPeers(domains));
  const { published } = peers.broker;
  // Of the bridge, and of each VM.
  const waited = new Set([
    topic.bridge.state,
    ...peers.libvirtd.fake.domains.map(({ name }) => topic.vm(name).availability),
  ]);
  const online = published.next(
    message => message.payload.equals(onlinePayload) && waited.delete(message.topic) && waited.size === 0,
    'online',
    60_000,
  );
  const script = setting ? 'check-subject' : 'subject';
  const child = Child.start(
    script,
    [peers.config, String(interval), JSON.stringify(setting ?? null)],
    [...nodeOptions, ...(gc ? ['--expose-gc'] : [])],
  );
  await online;
  await delay(settle);
  return {
    child,
    peers,
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
      await peers[Symbol.asyncDispose]();
    },
  };
}
