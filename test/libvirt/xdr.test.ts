import { expect, test } from 'vitest';
import { array, double, int, string, struct, uhyper, XdrReader, XdrWriter } from '../../src/libvirt/xdr.ts';

test('a message may grow past the writer’s first buffer at any field', () => {
  const codec = struct({ lead: string(1_000), many: array(struct({ a: int, b: uhyper, c: double }), 100) });
  for (let length = 0; length < 300; length++) {
    const value = {
      lead: 'x'.repeat(length),
      many: Array.from({ length: 30 }, (_, i) => ({ a: i - 9, b: 2 ** 40 + i, c: i / 3 })),
    };
    const writer = new XdrWriter();
    codec.encode(writer, value);
    expect(codec.decode(new XdrReader(writer.finish()))).toEqual(value);
  }
});
