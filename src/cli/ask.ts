import { createInterface } from 'node:readline/promises';

/** Asks at a terminal. Ctrl-C and Ctrl-D are a no. */
export async function agrees(
  question: string,
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  signal: AbortSignal,
): Promise<boolean> {
  const prompt = createInterface({ input, output });
  const no = new Promise<string>(resolve => prompt.once('close', () => resolve('')));
  try {
    const answer = await Promise.race([prompt.question(question, { signal }).catch(() => ''), no]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    prompt.close();
  }
}
