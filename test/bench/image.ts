import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** How the image starts the bridge and its health check: command and arguments, with the paths of this repository. */
const root = fileURLToPath(new URL('../..', import.meta.url));
const dockerfile = readFileSync(`${root}Dockerfile`, 'utf8');

export const [entrypoint, healthCheck] = [
  instruction(/^ENTRYPOINT (\[.*\])$/m),
  instruction(/^HEALTHCHECK .*CMD (\[.*\])$/m),
];

/** The young generation as src/cli/index.ts keeps it, by the same call: on Node's command line the flag does nothing. */
const bounded = "process.getBuiltinModule('v8').setFlagsFromString('--semi-space-growth-factor=1')";
export const nodeOptions: readonly string[] = [`--import=data:text/javascript,${bounded}`];

/** Of its environment, what the bridge's cost depends on. */
export const environment: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: /^ENV .*\bMALLOC_ARENA_MAX=(\d+)/m.exec(dockerfile)?.[1] ?? '',
};

function instruction(pattern: RegExp): string[] {
  const words: string[] = JSON.parse(pattern.exec(dockerfile)?.[1] ?? '[]');
  return words.map(word => (word === 'node' ? process.execPath : word.replace(/^\/app\//, root)));
}
