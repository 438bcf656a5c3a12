import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { XdrWriter } from '../../src/libvirt/xdr.ts';

/**
 * libvirt's own protocol description, read from a source tree: numbers, and samples of any struct, so that tables
 * made by hand can be held against it. Understands as much of the language as the structs of our tables need.
 */
export class ProtocolSource {
  readonly #tree: string;
  readonly #remote: string;

  constructor(tree: string) {
    this.#tree = tree;
    this.#remote = this.read('src/remote/remote_protocol.x');
  }

  read(path: string): string {
    return readFileSync(join(this.#tree, path), 'utf8').replaceAll(/\/\*.*?\*\//gs, '');
  }

  /** `NAME = 123`, in any of the files. */
  number(name: string, path = 'src/remote/remote_protocol.x'): number | undefined {
    const value = new RegExp(`\\b${name} *= *(\\d+)`).exec(
      path.includes('remote_protocol') ? this.#remote : this.read(path),
    );
    return value ? Number(value[1]) : undefined;
  }

  hasStruct(name: string): boolean {
    return this.#body(name) !== undefined;
  }

  /** One value of this struct: its bytes, and its leaves in order, each told from the others. */
  sample(name: string): { bytes: Buffer; leaves: Leaf[] } {
    const writer = new XdrWriter();
    const leaves: Leaf[] = [];
    this.#write(name, writer, leaves);
    return { bytes: writer.finish(), leaves };
  }

  #body(name: string): string | undefined {
    return new RegExp(`^struct ${name} [^{]*\\{(.*?)^\\};`, 'ms').exec(this.#remote)?.[1];
  }

  #write(type: string, writer: XdrWriter, leaves: Leaf[]): void {
    const pointed = new RegExp(`^typedef (\\w+) \\*${type};`, 'm').exec(this.#remote)?.[1];
    const body = this.#body(type);
    const enumeration = new RegExp(`^enum ${type} `, 'm').test(this.#remote);
    const primitive = primitives[enumeration ? 'int' : type];
    if (primitive) primitive(writer, leaves);
    else if (pointed) {
      writer.uint(1);
      this.#write(pointed, writer, leaves);
    } else if (body === undefined) throw new Error(`${type} is beyond this reader`);
    else {
      for (const [, fieldType = '', shape = ''] of body.matchAll(/^\s*((?:unsigned )?\w+) +\w+(.*?);/gm)) {
        this.#writeField(fieldType, shape, writer, leaves);
      }
    }
  }

  #writeField(type: string, shape: string, writer: XdrWriter, leaves: Leaf[]): void {
    if (type === 'char' && shape === '[32]') {
      for (let i = 0; i < 32; i++) writer.int('model'.charCodeAt(i) || 0);
      leaves.push('model');
    } else if (shape.startsWith('<')) {
      writer.uint(2);
      this.#write(type, writer, leaves);
      this.#write(type, writer, leaves);
    } else if (shape === '') this.#write(type, writer, leaves);
    else throw new Error(`${type} ${shape} is beyond this reader`);
  }
}

type Leaf = number | string;

/** Every number is the leaf's place, every text says it. */
const primitives: Record<string, (writer: XdrWriter, leaves: Leaf[]) => void> = {
  int: (writer, leaves) => writer.int(leaves.push(leaves.length + 1)),
  'unsigned int': (writer, leaves) => writer.uint(leaves.push(leaves.length + 1)),
  char: (writer, leaves) => writer.int(leaves.push(leaves.length + 1)),
  'unsigned char': (writer, leaves) => writer.uint(leaves.push(leaves.length + 1)),
  'unsigned short': (writer, leaves) => writer.uint(leaves.push(leaves.length + 1)),
  hyper: (writer, leaves) => writer.hyper(leaves.push(leaves.length + 1)),
  'unsigned hyper': (writer, leaves) => writer.uhyper(leaves.push(leaves.length + 1)),
  remote_nonnull_string: (writer, leaves) => {
    const text = `text ${leaves.length + 1}`;
    leaves.push(text);
    writer.uint(text.length);
    writer.opaque(Buffer.from(text));
  },
  remote_uuid: (writer, leaves) => {
    leaves.push('01010101-0101-0101-0101-010101010101');
    writer.opaque(Buffer.alloc(16, 1));
  },
  // A union: an unsigned integer stands for its arms, which the recordings cover.
  remote_typed_param_value: (writer, leaves) => {
    leaves.push(2);
    writer.int(2);
    writer.uint(leaves.push(leaves.length + 1));
  },
};

/** A decoded value's leaves in order. */
export function leavesOf(value: unknown): (Leaf | boolean)[] {
  if (value === null || value === undefined) return [];
  if (typeof value === 'object') return Object.values(value).flatMap(leavesOf);
  return [value as Leaf | boolean];
}
