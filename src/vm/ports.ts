import { connect } from 'node:net';

/** Whether anything listens on one of these ports; a guest that shuts down closes them early. */
export async function anyPortOpen(host: string, ports: readonly number[], patience = 2_000): Promise<boolean> {
  const answers = await Promise.all(ports.map(port => isOpen(host, port, patience)));
  return answers.includes(true);
}

function isOpen(host: string, port: number, patience: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port });
    const answer = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.setTimeout(patience, () => answer(false));
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}
