import { Child } from './child.ts';
import { type Peers, startPeers } from './peers.ts';

/** What the bare program (bare.js) is to do. */
export interface Orders {
  /**
   * `echo`: an event comes, `say` is written to the broker. `event`: `ask` is written to libvirt first, and `say` when
   * its two answers are there. `command`: a publication comes, `ask` is written. `poll`: `ask` every `interval`, and
   * `say` when the answer is whole; or when it is decoded.
   */
  job: 'echo' | 'event' | 'command' | 'poll' | 'poll, decoded';
  ask: Buffer;
  say: Buffer;
  interval?: number;
}

export interface Bare extends AsyncDisposable {
  child: Child;
  peers: Peers;
}

/** A bare program with peers of its own, introduced to them in the words of the bridge at `model`. */
export async function startBare(model: Peers, orders: Orders): Promise<Bare> {
  const peers = await startPeers(model.domains);
  const child = Child.start('bare', []);
  const ready = child.heard();
  child.send({
    ...orders,
    libvirt: peers.libvirtd.path,
    broker: peers.broker.port,
    hello: model.libvirtd.hello,
    greeting: model.broker.hello,
  });
  await ready;
  return {
    child,
    peers,
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
      await peers[Symbol.asyncDispose]();
    },
  };
}

/** A Node that does nothing at all. */
export async function startNothing(): Promise<Child> {
  const child = Child.start('bare', []);
  const ready = child.heard();
  child.send({ job: 'nothing' });
  await ready;
  return child;
}
