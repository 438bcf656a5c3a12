import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Aedes, type AedesOptions, type AuthenticateError } from 'aedes';
import type { Broker, BrokerRules } from './broker.ts';

/** aedes in this process. It speaks MQTT 3.1.1 only and says so to others. */
export async function startAedes(rules: BrokerRules = {}): Promise<Broker> {
  const sockets = new Set<Socket>();
  let aedes: Aedes;
  let server: Server;
  const broker: Broker = {
    port: 0,
    version: '3.1.1',
    async start() {
      aedes = await Aedes.createBroker(options(rules));
      server = createServer(socket => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
        aedes.handle(socket);
      });
      server.listen(broker.port, '127.0.0.1');
      await once(server, 'listening');
      broker.port = (server.address() as AddressInfo).port;
    },
    async kill() {
      for (const socket of sockets) socket.resetAndDestroy();
      server.close();
      await new Promise<void>(resolve => aedes.close(resolve));
    },
    [Symbol.asyncDispose]: () => broker.kill(),
  };
  await broker.start();
  return broker;
}

function options({ user, forbidden }: BrokerRules): AedesOptions {
  return {
    authenticate(_client, name, password, done) {
      const welcome = !user || (name === user.name && password?.toString() === user.password);
      if (welcome) done(null, true);
      else done(Object.assign(new Error('refused'), { returnCode: 4 }) as AuthenticateError, false);
    },
    authorizeSubscribe: (_client, subscription, done) =>
      done(null, subscription.topic === forbidden ? null : subscription),
  };
}
