/** A Supervisor that knows a broker, or none: what an app asks it for, and nothing else. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Supervisor extends AsyncDisposable {
  url: string;
  /** Each question: method, path, authorization. */
  asked: string[];
}

/** `broker`: as https://developers.home-assistant.io/docs/api/supervisor/endpoints#service has it. */
export async function startSupervisor(broker: object | null, port = 0): Promise<Supervisor> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    response.writeHead(broker ? 200 : 400).end(JSON.stringify(broker ? { result: 'ok', data: broker } : {}));
  });
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve));
  const address = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${address.port}`, asked, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}
