import { jsonSchema } from '../config/shape.ts';

/** `dsm2mqtt schema`: the JSON schema of the configuration file, for editors. The exit code is 0. */
export function printSchema({ stdout }: { stdout: { write(text: string): unknown } }): number {
  stdout.write(`${JSON.stringify(jsonSchema, null, 2)}\n`);
  return 0;
}
