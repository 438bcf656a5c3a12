import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Codec, fixedOpaque, hyper, int, string, uhyper, uint, XdrWriter } from '../../src/libvirt/xdr.ts';

/** Numbers and shapes of libvirt's protocol, without its text. */
export interface ProtocolFacts {
  release: string;
  /** `REMOTE_PROC_…`, `VIR_ERR_…` and the like. */
  numbers: Record<string, number>;
  /** Fields in order: their type, and `<>` for an array or `[32]` for a fixed one. */
  structs: Record<string, [type: string, shape: string][]>;
  /** Optional values: what each type points to. */
  pointers: Record<string, string>;
  enums: string[];
}

const files = {
  remote: 'src/remote/remote_protocol.x',
  net: 'src/rpc/virnetprotocol.x',
  keepalive: 'src/rpc/virkeepaliveprotocol.x',
  errors: 'include/libvirt/virterror.h',
  domain: 'include/libvirt/libvirt-domain.h',
};

/** The facts in a source tree of libvirt; of the structs those that are needed for `wanted`. */
export function readFacts(tree: string, release: string, wanted: readonly string[]): ProtocolFacts {
  const read = (path: string) => readFileSync(join(tree, path), 'utf8').replaceAll(/\/\*.*?\*\//gs, '');
  const remote = read(files.remote);
  const numbers: Record<string, number> = {};
  const named =
    /\b(REMOTE_\w+|KEEPALIVE_PROGRAM|VIR_NET_MESSAGE_\w*MAX|VIR_ERR_\w+|VIR_DOMAIN_EVENT_ID_\w+) *= *(0x[0-9a-f]+|\d+)/g;
  for (const text of [remote, ...[files.net, files.keepalive, files.errors, files.domain].map(read)]) {
    for (const [, name = '', value] of text.matchAll(named)) numbers[name] ??= Number(value);
  }
  const facts: ProtocolFacts = { release, numbers, structs: {}, pointers: {}, enums: [] };
  const add = (type: string): void => {
    if (type in facts.structs || type in facts.pointers || facts.enums.includes(type)) return;
    const pointed = new RegExp(`^typedef (\\w+) \\*${type};`, 'm').exec(remote)?.[1];
    const body = new RegExp(`^struct ${type} [^{]*\\{(.*?)^\\};`, 'ms').exec(remote)?.[1];
    if (pointed) {
      facts.pointers[type] = pointed;
      add(pointed);
    } else if (new RegExp(`^enum ${type} `, 'm').test(remote)) facts.enums.push(type);
    else if (body !== undefined) {
      const fields = [...body.matchAll(/^\s*((?:unsigned )?\w+) +\w+(.*?);/gm)];
      facts.structs[type] = fields.map(([, field = '', shape = '']) => [field, shape.startsWith('<') ? '<>' : shape]);
      for (const [field] of facts.structs[type]) add(field);
    }
  };
  for (const name of wanted) add(name);
  return facts;
}

/** Samples of any struct, so that tables made by hand can be held against libvirt's own description. */
export class ProtocolSource {
  readonly #facts: ProtocolFacts;

  constructor(facts: ProtocolFacts) {
    this.#facts = facts;
  }

  number(name: string): number | undefined {
    return this.#facts.numbers[name];
  }

  hasStruct(name: string): boolean {
    return name in this.#facts.structs;
  }

  /** One value of this struct: its bytes, and its leaves in order, each told from the others. */
  sample(name: string): { bytes: Buffer; leaves: Leaf[] } {
    const writer = new XdrWriter();
    const leaves: Leaf[] = [];
    this.#write(name, writer, leaves);
    return { bytes: writer.finish(), leaves };
  }

  #write(type: string, writer: XdrWriter, leaves: Leaf[]): void {
    const { structs, pointers, enums } = this.#facts;
    const primitive = primitives[enums.includes(type) ? 'int' : type];
    const pointed = pointers[type];
    if (primitive) primitive(writer, leaves);
    else if (pointed !== undefined) {
      uint.encode(writer, 1);
      this.#write(pointed, writer, leaves);
    } else if (!structs[type]) throw new Error(`${type} is beyond this reader`);
    else for (const [field, shape] of structs[type]) this.#writeField(field, shape, writer, leaves);
  }

  #writeField(type: string, shape: string, writer: XdrWriter, leaves: Leaf[]): void {
    if (type === 'char' && shape === '[32]') {
      for (let i = 0; i < 32; i++) int.encode(writer, 'model'.charCodeAt(i) || 0);
      leaves.push('model');
    } else if (shape.startsWith('<')) {
      uint.encode(writer, 2);
      this.#write(type, writer, leaves);
      this.#write(type, writer, leaves);
    } else if (shape === '') this.#write(type, writer, leaves);
    else throw new Error(`${type} ${shape} is beyond this reader`);
  }
}

type Leaf = number | string;

type Primitive = (writer: XdrWriter, leaves: Leaf[]) => void;

/** Every number is the leaf's place, every text says it. */
const place =
  (codec: Codec<number>): Primitive =>
  (writer, leaves) =>
    codec.encode(writer, leaves.push(leaves.length + 1));

const primitives: Record<string, Primitive> = {
  int: place(int),
  'unsigned int': place(uint),
  char: place(int),
  'unsigned char': place(uint),
  'unsigned short': place(uint),
  hyper: place(hyper),
  'unsigned hyper': place(uhyper),
  remote_nonnull_string: (writer, leaves) => {
    const text = `text ${leaves.length + 1}`;
    leaves.push(text);
    string(20).encode(writer, text);
  },
  remote_uuid: (writer, leaves) => {
    leaves.push('01010101-0101-0101-0101-010101010101');
    fixedOpaque(16).encode(writer, Buffer.alloc(16, 1));
  },
  // A union: an unsigned integer stands for its arms, which the recordings cover.
  remote_typed_param_value: (writer, leaves) => {
    leaves.push(2);
    int.encode(writer, 2);
    place(uint)(writer, leaves);
  },
};

/** A decoded value's leaves in order. */
export function leavesOf(value: unknown): (Leaf | boolean)[] {
  if (value === null || value === undefined) return [];
  if (typeof value === 'object') return Object.values(value).flatMap(leavesOf);
  return [value as Leaf | boolean];
}
