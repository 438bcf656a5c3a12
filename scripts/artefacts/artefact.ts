import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What every maker of an artefact gets. All paths are absolute. */
export interface Release {
  /** Of package.json. */
  version: string;
  /** OWNER/REPO on github.com, or the placeholder. */
  origin: string;
  /** Seconds since 1970: when the commit was made. Every time in an artefact is this one. */
  epoch: number;
  /** The commit's files, with `node_modules` of this machine and `dist` as built from them. */
  source: string;
  /** What a machine needs to run the product: `bin`, `dist`, `package.json` and texts. No native code, no npm package. */
  app: string;
  /** Where the artefact goes. */
  out: string;
  /** A folder of this run, for what is made on the way. It is deleted at the end. */
  scratch: string;
}

/** One thing that a release consists of. */
export interface Artefact {
  name: string;
  make(release: Release): Promise<void>;
}

/** Runs a program to its end and resolves to what it wrote. Rejects with its output if it fails. */
export async function run(program: string, args: readonly string[], { cwd = '.', env = {} } = {}): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, args, {
      cwd,
      env: { ...process.env, ...env },
      maxBuffer: 64 << 20,
    });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    const output = `${stdout}${stderr}`.trim().split('\n').slice(-30).join('\n');
    throw new Error(`${program} ${args.join(' ')} failed:\n${output}`, { cause: error });
  }
}
